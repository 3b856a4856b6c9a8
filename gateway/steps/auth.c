/* SPDX-License-Identifier: Apache-2.0 */
/* User and password, where the site or route asks for them. */
#include "config.h"

#include <stddef.h>

#include "gateway/base/check.h"
#include "gateway/request/request.h"

/* Of one worker thread, with the hashers: a flood of wrong passwords must not make
 * a queue that outlives the patience of those who have the right one, and no client
 * may have all places. */
#define HASHING_MAX 32
#define HASHING_CLIENT_MAX 4

static void
forget(void *claim)
{
	auth_forget(claim);
}

static struct request *
request_of(struct job *job)
{
	struct request *req;

	req = (struct request *)((char *)job - offsetof(struct request, auth_job));
	CHECK_OBJ(req, REQUEST_MAGIC);
	return (req);
}

static void
check(struct job *job)
{
	auth_check(request_of(job)->claim);
}

static void
checked(struct job *job)
{
	struct request *req;

	req = request_of(job);
	LIST_REMOVE(req, hashing);
	req->auth_state = INSPECT_DONE;
	request_wake(req);
}

static enum step_rc
refuse(struct request *req)
{
	char *challenge;

	challenge = arena_printf(
	    req->arena, "Basic realm=\"%s\", charset=\"UTF-8\"", req->place->realm);
	req->refusal.authenticate = span_of(challenge);
	return (request_refuse(req, 401, "auth", "no valid user and password"));
}

static bool
has_place(const struct request *req)
{
	const struct request *other;
	unsigned all, same;

	all = same = 0;
	LIST_FOREACH(other, &req->worker->hashing, hashing)
	{
		all++;
		if (netaddr_same_ip(&other->client_key, &req->client_key))
			same++;
	}
	return (all < HASHING_MAX && same < HASHING_CLIENT_MAX);
}

static enum step_rc
begin(struct request *req)
{
	struct span field;

	req->claim = arena_zalloc(req->arena, sizeof(*req->claim));
	if (req->claim == NULL || !arena_defer(req->arena, forget, req->claim))
		return (request_refuse(req, 431, "protocol", "request too large"));
	field = http_fields_value(&req->http.fields, HTTP_AUTHORIZATION);
	if (req->http.fields.count[HTTP_AUTHORIZATION] > 1)
		field = SPAN_NONE;
	switch (auth_begin(req->place->auth, field, req->claim, clock_mono_us())) {
	case AUTH_ACCEPTED: return (STEP_NEXT);
	case AUTH_REFUSED: return (refuse(req));
	case AUTH_HASH: break;
	}
	if (!has_place(req)) {
		req->refusal.retry_after = 1;
		return (request_refuse(
		    req, 503, "auth", "too many passwords wait to be checked"));
	}
	LIST_INSERT_HEAD(&req->worker->hashing, req, hashing);
	req->auth_state = INSPECT_RUNS;
	req->auth_job.home = req->worker->loop;
	req->auth_job.run = check;
	req->auth_job.done = checked;
	job_submit(req->worker->hashers, &req->auth_job);
	return (STEP_WAIT);
}

enum step_rc
step_auth(struct request *req)
{
	enum step_rc rc;

	if (req->place->auth == NULL)
		return (STEP_NEXT);
	if (req->claim == NULL && (rc = begin(req)) != STEP_WAIT)
		return (rc);
	if (req->auth_state == INSPECT_RUNS) {
		conn_watch(req->conn);
		return (STEP_WAIT);
	}
	req->auth_state = INSPECT_IDLE;
	if (!auth_settle(req->place->auth, req->claim, clock_mono_us()))
		return (refuse(req));
	return (STEP_NEXT);
}
