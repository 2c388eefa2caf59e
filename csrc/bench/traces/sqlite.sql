-- The SQL of the trace `sqlite`: rows are inserted, updated, deleted, joined and sorted in memory.
create table customers(id integer primary key, name text, town text);
create table orders(id integer primary key, customer integer, day text, amount real, note text);
create index orders_of on orders(customer, day);

begin;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
insert into customers select i, 'customer ' || (i * 7919 % 977), 'town ' || (i % 37) from n;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 30000)
insert into orders
    select i, i * 31 % 3000 + 1, date('2024-01-01', (i * 17 % 365) || ' days'), (i * 131 % 10007) / 7.0,
           printf('note %d of %s', i, hex(zeroblob(i % 40)))
    from n;
commit;

update orders set note = upper(note) || ' paid', amount = amount * 1.1 where id % 3 = 0;
delete from orders where id % 11 = 0;
update customers set name = replace(name, 'customer', 'client') where town in ('town 3', 'town 5', 'town 7');

select town, count(*), round(sum(amount), 2) as total
    from orders join customers on customers.id = orders.customer group by town order by total desc limit 5;
select name, max(amount), group_concat(substr(note, 1, 12), '; ')
    from orders join customers on customers.id = orders.customer
    where day between '2024-03-01' and '2024-03-21' group by name order by name limit 20;
select count(distinct note), sum(length(note)), avg(amount) from orders where note like '%PAID%';
with months as (select substr(day, 1, 7) as month, amount from orders)
select month, count(*), round(sum(amount), 2), round(avg(amount), 2) from months group by month order by month;
select json_group_array(json_object('id', id, 'amount', amount)) from (select * from orders order by amount desc limit 50);
drop index orders_of;
vacuum;
