/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/variables.h - what the variables of header fields' texts stand for
 * in one request (gateway/filter/template.h). */
#ifndef YETT_REQUEST_VARIABLES_H
#define YETT_REQUEST_VARIABLES_H

#include "gateway/base/netaddr.h"
#include "gateway/filter/template.h"

struct request;

/* Zero: not filled in yet. */
struct variables {
	bool filled;
	struct template_values values;
	char client[NETADDR_TEXT_MAX], asn[16];
};

/* Fills them in once; they live as long as the request, which has a place. */
const struct template_values *request_variables(struct request *);

#endif
