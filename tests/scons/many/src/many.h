// What users include.
unsigned many_find(unsigned key);
