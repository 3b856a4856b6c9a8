/* SPDX-License-Identifier: Apache-2.0 */
/* Who the client is, and where. */
#include "config.h"

#include "gateway/request/request.h"

enum step_rc
step_identity(struct request *req)
{
	const struct identity *identity;
	enum identity_rc rc;

	identity = req->snap->identity;
	rc = identity_find(identity, &req->conn->client, &req->http.fields, &req->client);
	if (rc == IDENTITY_BAD)
		log_debug(
		    "identity", "%s: a trusted proxy names no readable client", req->id);
	if (rc != IDENTITY_PEER) /* the peer's key is there since the request is */
		req->client_key = identity_key(identity, &req->client);
	request_locate(req);
	return (STEP_NEXT);
}
