// The library answers with the number of its cell.
unsigned many_find(unsigned key);

int main(void)
{
    return many_find(1) != MANY_NUMBER + 1;
}
