#!/bin/sh
# g++ compiles a large file with many templates. The object must be identical with and without the library.

. "$(dirname "$0")/data/common.sh"
need awk
need g++

awk 'BEGIN {
    print "#include <algorithm>\n#include <map>\n#include <memory>\n#include <string>\n#include <variant>\n#include <vector>"
    for (i = 0; i < 30; i++) {
        printf "struct kind%d { int key; std::string text; bool operator<(const kind%d &o) const { return key < o.key; } };\n", i, i
        printf "int use%d(int n) {\n    std::map<int, std::vector<std::unique_ptr<kind%d>>> all;\n", i, i
        printf "    for (int j = 0; j < n; j++) all[j %% %d].emplace_back(new kind%d{j, std::string(j, 0)});\n", i + 2, i
        printf "    std::vector<std::variant<kind%d, int>> flat;\n", i
        printf "    for (auto &[key, list] : all) for (auto &one : list) flat.emplace_back(*one);\n"
        printf "    std::sort(flat.begin(), flat.end());\n    return (int)flat.size();\n}\n"
    }
}' >large.cc

preloaded g++ -std=c++17 -O1 -frandom-seed=1 -c large.cc -o large.o
sha256sum large.o
