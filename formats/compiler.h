/* compiler.h - compiler attributes, the only place that names them.
 *
 * Layer    formats.
 */
#ifndef MOULT_FORMATS_COMPILER_H
#define MOULT_FORMATS_COMPILER_H

#if defined(__GNUC__)
#define MOULT_MUST_CHECK __attribute__((warn_unused_result))
#define MOULT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define MOULT_MUST_CHECK
#define MOULT_PRINTF(text, first)
#endif

#endif
