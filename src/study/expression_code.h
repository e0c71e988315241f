/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions as code for a machine with a stack (expression.c writes it, evaluate.c runs it): each
 * instruction takes operands off the stack and leaves one. So evaluation needs no recursion, and
 * the stack it needs is known beforehand.
 */
#ifndef FI_STUDY_EXPRESSION_CODE_H
#define FI_STUDY_EXPRESSION_CODE_H

#include "study/expression.h"

enum fi_action {
    /* of one seed: number by number */
    FI_DO_ADD,
    FI_DO_SUBTRACT,
    FI_DO_MULTIPLY,
    FI_DO_DIVIDE,
    FI_DO_MIN,
    FI_DO_MAX,
    FI_DO_NEGATE,
    FI_DO_ABS,
    FI_DO_LOG,
    FI_DO_LOG10,
    FI_DO_EXP,
    FI_DO_SQRT,
    /* over seeds */
    FI_DO_MEAN,
    FI_DO_SD,
    /* of a term: a value a seed, of its series, over its wheres */
    FI_DO_VALUE,
    FI_DO_REACH,
    FI_DO_REACH_ABOVE,
    FI_DO_LOWEST,
    FI_DO_HIGHEST,
    FI_DO_STEPS,
    FI_DO_SLOPE,
    FI_DO_LARGEST,
    FI_DO_SMALLEST,
    FI_DO_AVERAGE,
    FI_DO_NUMBER
};

struct fi_code {
    enum fi_action action;
    int operands; /* taken off the stack */
    int64_t term; /* index into the terms */
    double number;
};

#endif
