/* SPDX-License-Identifier: Apache-2.0 */
/* Who the client is, and where. */
#include "config.h"

#include "gateway/request/request.h"

enum step_rc
step_identity(struct request *req)
{
	const struct identity *identity;
	struct conn *c;

	c = req->conn;
	identity = req->snap->identity;
	if (identity_find(identity, &c->client, &req->http.fields, &req->client) ==
	    IDENTITY_BAD)
		log_debug(
		    "identity", "%s: a trusted proxy names no readable client", req->id);
	req->client_key = identity_key(identity, &req->client);
	request_locate(req);
	return (STEP_NEXT);
}
