/* banned.h - functions that no source here may call; the compiler's error says why.
 *
 * Layer    none: CMake puts it before every source of the product (-include), never a
 *          source itself.
 * Use it   `strcpy(a, b)` fails with "banned_strcpy_has_no_bound_use_snprintf undeclared".
 *          Libraries
 *          without heap get formats/banned_heap.h on top.
 *
 * The macros take arguments, so a struct member of the same name that is not called stays
 * usable.
 */
#ifndef MOULT_FORMATS_BANNED_H
#define MOULT_FORMATS_BANNED_H

/* Declared before the names are taken away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef strcpy
#undef strcat
#undef strtok
#define strcpy(...) banned_strcpy_has_no_bound_use_snprintf
#define strcat(...) banned_strcat_has_no_bound_use_snprintf
#define sprintf(...) banned_sprintf_has_no_bound_use_snprintf
#define vsprintf(...) banned_vsprintf_has_no_bound_use_vsnprintf
#define gets(...) banned_gets_has_no_bound_use_fgets
#define strtok(...) banned_strtok_has_hidden_state_use_strcspn
#define atoi(...) banned_atoi_reports_no_error_use_a_parser_with_a_range
#define atol(...) banned_atol_reports_no_error_use_a_parser_with_a_range
#define atof(...) banned_atof_reports_no_error_use_a_parser_with_a_range
#undef alloca
#define alloca(...) banned_alloca_has_no_bound_use_a_sized_array
#define rand(...) banned_rand_is_predictable_take_randomness_as_an_argument
#define srand(...) banned_srand_is_predictable_take_randomness_as_an_argument
#define gmtime(...) banned_gmtime_shares_a_buffer_use_gmtime_r
#define localtime(...) banned_localtime_shares_a_buffer_use_localtime_r
#define ctime(...) banned_ctime_shares_a_buffer_use_strftime
#define asctime(...) banned_asctime_shares_a_buffer_use_strftime

#endif
