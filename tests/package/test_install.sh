#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An installed copy is enough: programs in C and C++ build against it through pkg-config (shared and static) and through
# find_package, and run; the command runs; DESTDIR is honoured; nothing installed names the build tree.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

cmake --install "$FANIN_BUILD_DIR" --prefix "$prefix" >"$work/log"
libdir=$(dirname "$(find "$prefix" -name libfanin.a)")
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir

cat >"$work/main.c" <<'END'
#include <fanin/fanin.h>
#include <stdio.h>
#include <string.h>
int main(void) {
    fanin_ctx *ctx = NULL;
    char error[256];
    if (fanin_ctx_create(&ctx, NULL, error, sizeof error) != FANIN_OK) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    printf("%s %s\n", fanin_version(), fanin_isa(ctx));
    int same = strcmp(fanin_version(), FANIN_VERSION) == 0;
    fanin_ctx_free(ctx);
    return same ? 0 : 1;
}
END
cp "$work/main.c" "$work/main.cpp"

for compiler in cc c++; do
    source=$work/main.c
    [ $compiler = c++ ] && source=$work/main.cpp
    $compiler "$source" $(pkg-config --cflags --libs fanin) -o "$work/shared_$compiler"
    "$work/shared_$compiler" >/dev/null
    # The static library, with what it says it needs.
    $compiler "$source" $(pkg-config --cflags fanin) "$libdir/libfanin.a" \
        $(pkg-config --static --libs fanin | sed 's/-lfanin//') -o "$work/static_$compiler"
    LD_LIBRARY_PATH= "$work/static_$compiler" >/dev/null
    ldd "$work/shared_$compiler" | grep -q "$libdir/libfanin.so"
    ! ldd "$work/static_$compiler" | grep -q libfanin
done
[ "$(pkg-config --modversion fanin)" = "$("$work/shared_cc" | cut -d' ' -f1)" ]

mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(user C CXX)
find_package(fanin 0.1 REQUIRED)
add_executable(c_shared ../main.c)
target_link_libraries(c_shared fanin::fanin)
add_executable(c_static ../main.c)
target_link_libraries(c_static fanin::fanin_static)
add_executable(cpp_shared ../main.cpp)
target_link_libraries(cpp_shared fanin::fanin)
END
cmake -S "$work/project" -B "$work/project/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >>"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
ninja -C "$work/project/build" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
for program in c_shared c_static cpp_shared; do "$work/project/build/$program" >/dev/null; done

if [ -n "${FANIN-}" ]; then
    LD_LIBRARY_PATH= "$prefix/bin/fanin" --version >/dev/null
fi
if grep -rlE --include='*.pc' --include='*.cmake' --include='*.h' "$FANIN_BUILD_DIR|$FANIN_SOURCE_DIR/" "$prefix"; then
    echo "these name the build or source tree" >&2
    exit 1
fi
DESTDIR=$work/stage cmake --install "$FANIN_BUILD_DIR" --prefix /usr >>"$work/log"
[ -f "$work/stage/usr/include/fanin/fanin.h" ]
