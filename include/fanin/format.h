/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are written completely or not at all.
 *
 * The bytes go to a temporary file beside the target; committing flushes it to the disk, renames it
 * over the target and flushes the folder. Whatever happens before (an error, a full disk, a kill),
 * the target is as it was. A target that exists and is not a regular file (a folder, a device) is
 * refused; a symbolic link is followed, and the file it names is replaced.
 *
 * Model files (docs/format.md) are written this way by fanin_model_save().
 */
#ifndef FANIN_FORMAT_H
#define FANIN_FORMAT_H

#include <fanin/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fanin_file fanin_file;

/* Begins a file. Fails where the target could not be written, so creating and freeing one is a
 * check that leaves nothing behind. Errors: IO (path and reason), MEMORY. */
FANIN_API enum fanin_status fanin_file_create(fanin_file **out, fanin_ctx *ctx, const char *path);
/* Appends. After an error all further calls fail with it. Errors: IO. */
FANIN_API enum fanin_status fanin_file_write(fanin_file *file, const void *data, size_t bytes);
/* Makes what was written the content of the target. Errors: IO. */
FANIN_API enum fanin_status fanin_file_commit(fanin_file *file);
/* Removes the temporary file if it was not committed. */
FANIN_API void fanin_file_free(fanin_file *file);

#ifdef __cplusplus
}
#endif
#endif
