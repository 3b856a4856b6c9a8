/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/template.h - the text of a header field with variables: %{scheme} and
 * the like. Compiled once when the configuration is read, then any thread writes it.
 * Writing allocates nothing of its own, and what a variable holds can't end the line:
 * bytes of values outside printable ASCII come out as %XX. */
#ifndef YETT_FILTER_TEMPLATE_H
#define YETT_FILTER_TEMPLATE_H

#include "gateway/base/buf.h"
#include "gateway/base/err.h"
#include "gateway/base/span.h"

/* What each is, for the reference of the configuration. */
/* clang-format off */
#define TEMPLATE_VARIABLES(V)						\
	V(SCHEME, "scheme", "http or https, as the client came")	\
	V(HOST, "host", "the host asked for, with its port where it was said") \
	V(CLIENT, "client", "the client's address")			\
	V(COUNTRY, "country", "its country, two letters")		\
	V(ASN, "asn", "the number of its network")			\
	V(ID, "id", "the request id")					\
	V(PATH, "path", "the canonical path")				\
	V(QUERY, "query", "the query, without ?")			\
	V(METHOD, "method", "the method")				\
	V(SITE, "site", "the first host of the site")			\
	V(ROUTE, "route", "the path of the route")			\
	V(NODE, "node", "the name of the gateway")			\
	V(TLS_VERSION, "tls_version", "TLSv1.3; nothing without TLS")	\
	V(TLS_CIPHER, "tls_cipher", "name of the cipher suite; nothing without TLS")
/* clang-format on */

enum template_variable {
#define TEMPLATE_ENUM(id, name, prose) TEMPLATE_##id,
	TEMPLATE_VARIABLES(TEMPLATE_ENUM)
#undef TEMPLATE_ENUM
	    TEMPLATE_VARIABLE_COUNT
};

#define TEMPLATE_TEXT_MAX 4096 /* bytes of a template */
#define TEMPLATE_PIECES_MAX 64 /* texts and variables in it */

/* Of one request. Absent or empty: the variable writes nothing. */
struct template_values {
	struct span v[TEMPLATE_VARIABLE_COUNT];
};

struct template;
/* "%{name}" is a variable, "%%{" writes "%{", any other % is itself. Errors name what
 * was found and the nearest variable. */
enum err_code template_compile(struct template **, struct span text, struct err *);
void template_free(struct template **);
/* Has it variables that differ between requests for the same URL? */
bool template_tells_apart(const struct template *);
/* Appends; returns how many bytes. Where `out` is full its overflow is set. */
size_t
template_put(const struct template *, const struct template_values *, struct text *out);

#endif
