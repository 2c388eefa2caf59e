#!/bin/sh
# perl: hashes, regular expressions, strings that grow, closures and sorting.

. "$(dirname "$0")/data/common.sh"
need perl

PERL_HASH_SEED=0
PERL_PERTURB_KEYS=0
export PERL_HASH_SEED PERL_PERTURB_KEYS

cat >load.pl <<'END'
use strict;
use warnings;

$| = 1;  # a forked child must not inherit unwritten lines
my $state = 42;
sub number {
    my ($below) = @_;
    $state = $state * 16807 % 2147483647;
    return $state % $below;
}
sub word { return join '', map { chr(97 + number(26)) } 1 .. 1 + number(11) }

my $text = '';
$text .= word() . (number(12) ? ' ' : ".\n") for 1 .. 60000;
print length($text), "\n";

my %count;
$count{$_}++ for $text =~ /[a-z]+/g;
my @common = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
print scalar(@common), " words: @common[0 .. 19]\n";

my %by_first;
push @{ $by_first{ substr $_, 0, 2 } }, $_ for sort keys %count;
print join(' ', map { "$_:" . scalar @{ $by_first{$_} } } (sort keys %by_first)[0 .. 29]), "\n";
delete $by_first{$_} for grep { number(2) } sort keys %by_first;
print scalar(keys %by_first), "\n";

(my $changed = $text) =~ s/\b([aeiou])([a-z]*)\b/uc($1) . scalar reverse($2)/ge;
print unpack('%32C*', $changed), ' ', ($changed =~ tr/A-Z//), "\n";

my @makers = map { my $step = $_; sub { my ($x) = @_; return [ map { $_ * $step } 0 .. $x ] } } 1 .. 200;
my $sum = 0;
for my $round (1 .. 100) { $sum += $_->($round % 30)->[-1] for @makers }
print "$sum\n";

my @tree;
for (1 .. 30000) {
    push @tree, { key => number(1000000), text => 'x' x number(200) };
    splice @tree, number(scalar @tree), 1 if @tree > 5000;
}
@tree = sort { $a->{key} <=> $b->{key} || length $a->{text} <=> length $b->{text} } @tree;
print scalar(@tree), " $tree[0]{key} $tree[-1]{key} ", length(join '', map { $_->{text} } @tree), "\n";

# a child frees and replaces what its parent has allocated
my $child = fork();
if (!$child) {
    @tree = map { 'y' x $_ } 1 .. 2000;
    exit(length(join '', @tree) == 2001000 ? 0 : 1);
}
waitpid $child, 0;
print "child: $?\n";
END

preloaded perl load.pl
