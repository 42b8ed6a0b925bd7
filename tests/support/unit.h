/* unit.h - cmocka with the includes that it forgets. For tests of server/, cli/ and
 * client/. */
#ifndef MOULT_TESTS_SUPPORT_UNIT_H
#define MOULT_TESTS_SUPPORT_UNIT_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#endif
