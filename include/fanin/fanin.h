/* SPDX-License-Identifier: Apache-2.0 */
/* fanin: neural networks trained right. This header includes the whole API. */
#ifndef FANIN_FANIN_H
#define FANIN_FANIN_H

#include <fanin/base.h>
#include <fanin/bench.h>
#include <fanin/check.h>
#include <fanin/data.h>
#include <fanin/format.h>
#include <fanin/model.h>
#include <fanin/net.h>
#include <fanin/page.h>
#include <fanin/recipe.h>
#include <fanin/record.h>
#include <fanin/report.h>
#include <fanin/study.h>
#include <fanin/train.h>

#endif
