/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/tables.h - what the tables of the parts of a configuration know
 * of each other. Only within this folder. */
#ifndef YETT_CONF_TABLES_H
#define YETT_CONF_TABLES_H

#include "gateway/conf/conf.h"
#include "gateway/conf/field.h"

extern const struct map map_listener, map_pool, map_policy, map_site, map_limit;
extern const struct map map_identity, map_redis, map_geo, map_cache, map_bans, map_admin;
extern const struct map map_logs, map_exclude, map_resolver;
extern const struct map map_cache_use, map_compress, map_headers;

extern const struct choice words_off[], words_off_on[];

/* Checks of single texts, for rows (checks.c). */
field_check_f check_node, check_host, check_host_name, check_method, check_media_type;
field_check_f check_field_name, check_client_field, check_word, check_tag;
field_check_f check_route_path, check_path;
field_check_f check_key, check_status_range, check_country, check_continent;
field_check_f check_address, check_realm, check_redis_user, check_redis_prefix;
field_check_f check_dns_server;
field_check_f check_hash_key, check_cache_key, check_parameter, check_cookie_name;
field_check_f check_request_target, check_authority, check_field_text;

/* What takes more than one field, or a text taken apart (finish.c). */
map_finish_f finish_root, finish_listener, finish_server, finish_pool, finish_policy;
map_finish_f finish_exclude;
/* Of the controls (finish_control.c, redis_url.c). */
map_finish_f finish_redis, finish_limit, finish_bans, finish_admin, finish_match;
map_finish_f finish_access_rule, finish_site, finish_route;
/* Of answers (finish_answer.c). */
map_finish_f finish_cache, finish_cache_use, finish_compress, finish_header_change;
/* A key that a check let pass, taken apart. */
struct conf_key take_key(const char *text);
/* "HOST[:PORT]", the host an address, an IPv6 one in brackets, or a name. What is
 * wrong with it, or NULL. */
const char *
take_host_port(struct reader *, struct span text, const char **host_r, uint16_t *port_r);

#endif
