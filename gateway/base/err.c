/* SPDX-License-Identifier: Apache-2.0 */
/* Building the text of an error, which stays one line of valid UTF-8. */
#include "config.h"

#include "gateway/base/err.h"

#include "gateway/base/span.h"
#include "gateway/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Texts quote file contents and system messages, hence any byte may be there;
 * and vsnprintf cuts in the middle of a character. */
static void
make_clean(char *text)
{
	struct span rest = span_of(text);
	size_t n;

	while (rest.n > 0) {
		n = utf8_sequence(rest);
		if (n == 0 || (unsigned char)rest.p[0] < 0x20 || rest.p[0] == 0x7f) {
			text[(size_t)(rest.p - text)] = n == 0 ? '?' : ' ';
			n = 1;
		}
		rest = span_cut(rest, n, rest.n);
	}
}

enum err_code
err_set(struct err *e, enum err_code code, const char *format, ...)
{
	char text[sizeof e->text]; /* the arguments may point into e */
	va_list ap;

	if (e == NULL)
		return (code);
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	make_clean(text);
	e->code = code;
	memcpy(e->text, text, strlen(text) + 1);
	return (code);
}

enum err_code
err_wrap(struct err *e, const char *format, ...)
{
	char outer[sizeof e->text];
	size_t n, kept;
	va_list ap;
	int written;

	if (e == NULL)
		return (ERR_IO);
	va_start(ap, format);
	written = vsnprintf(outer, sizeof outer, format, ap);
	va_end(ap);
	if (written < 0 || (size_t)written >= sizeof outer - 3)
		return (e->code); /* no room for both: the cause matters more */
	n = (size_t)written;
	memcpy(outer + n, ": ", 2);
	n += 2;
	kept = strlen(e->text);
	if (kept > sizeof outer - 1 - n)
		kept = sizeof outer - 1 - n;
	memcpy(outer + n, e->text, kept);
	outer[n + kept] = '\0';
	make_clean(outer);
	memcpy(e->text, outer, n + kept + 1);
	return (e->code);
}

enum err_code
err_errno(struct err *e, const char *format, ...)
{
	int number = errno;
	char text[sizeof e->text];
	const char *cause = strerrordesc_np(number);
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (cause != NULL)
		return (err_set(e, ERR_IO, "%s: %s", text, cause));
	return (err_set(e, ERR_IO, "%s: error %d", text, number));
}
