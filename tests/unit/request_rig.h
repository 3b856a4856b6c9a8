/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/request_rig.h - a real request of a real head on a worker that has no
 * listener: what the tests of heads start from. */
#ifndef YETT_TEST_REQUEST_RIG_H
#define YETT_TEST_REQUEST_RIG_H

#include "gateway/request/connection.h"
#include "gateway/request/request.h"

struct request_rig {
	struct conf conf;
	struct conf_policy policy;
	struct snapshot snapshot;
	struct place place;
	struct worker worker;
	struct conn conn;
	struct request *req;
};

void rig_open(struct request_rig *);
void rig_close(struct request_rig *);
/* The request that `head` begins, parsed and canonical, no byte of its body here
 * yet. What the connection is (client, has_tls) is set before. */
struct request *rig_request(struct request_rig *, const char *head);
/* The origin's answer to it. */
void rig_answer(struct request_rig *, const char *head);
/* `text` with each `mark` replaced by `value`; malloc'd. */
char *rig_fill(const char *text, const char *mark, const char *value);

#endif
