/* SPDX-License-Identifier: Apache-2.0 */
/* The clock that durations are measured with: it only goes forward, whatever the time of day does.
 */
#include "base/base.h"

#include <time.h>

double fi_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
