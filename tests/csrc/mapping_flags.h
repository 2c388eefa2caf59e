// What the system says of a mapping.
#ifndef TEST_MAPPING_FLAGS_H
#define TEST_MAPPING_FLAGS_H

#include "test.h"

// Returns whether the mapping of this address has the flag: "hg" = huge pages are preferred, "nh" = never.
static inline bool has_flag(const void *address, const char *flag)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    T_CHECK(maps != NULL, "/proc/self/smaps: %s", strerror(errno));
    char line[512], word[8];
    bool inside = false, known = false, found = false;
    snprintf(word, sizeof word, " %s", flag);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long long low, high;
        if (sscanf(line, "%llx-%llx ", &low, &high) == 2)
            inside = (uintptr_t)address >= low && (uintptr_t)address < high;
        if (!inside || strncmp(line, "VmFlags:", 8) != 0) continue;
        known = true;
        found = strstr(line, word) != NULL;
    }
    fclose(maps);
    if (!known) T_not_run("the system does not show the flags of a mapping");
    return found;
}

#endif
