# tests/fuzz: a target NAME is the file fuzz_NAME.c, with small files to start
# from in corpus/NAME/ and maybe words in NAME.dict. To add one, add its name
# here and the three lines below. `make check` replays the corpora; `make fuzz
# [FUZZ_SECONDS=60] [FUZZ_TARGETS="uri h1_body"]` runs clang's libFuzzer for that
# long on each; `make fuzz-merge` puts the inputs it found worth keeping into
# the corpora of the source tree.
FUZZ_NAMES = accept_encoding auth ban_record cache_control conf decode forwarded h1_body h1_request h1_response http_date mask mmdb origin_answer prefixes proxy_header range redis_reply template uri vary waf_body
FUZZ_SECONDS = 60
FUZZ_TARGETS = $(FUZZ_NAMES)

check_PROGRAMS += tests/fuzz/fuzz_accept_encoding
tests_fuzz_fuzz_accept_encoding_SOURCES = tests/fuzz/fuzz_accept_encoding.c $(FUZZ_MAIN)
tests_fuzz_fuzz_accept_encoding_LDADD = gateway/filter/libfilter.a gateway/http/libhttp.a gateway/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz_auth
tests_fuzz_fuzz_auth_SOURCES = tests/fuzz/fuzz_auth.c $(FUZZ_MAIN)
tests_fuzz_fuzz_auth_LDADD = gateway/access/libaccess.a gateway/conf/libconf.a gateway/base/libbase.a $(YAML_LIBS) $(CRYPT_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_ban_record
tests_fuzz_fuzz_ban_record_SOURCES = tests/fuzz/fuzz_ban_record.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ban_record_LDADD = gateway/access/libaccess.a gateway/base/libbase.a

CACHE_FUZZ_LIBS = gateway/cache/libcache.a gateway/http/libhttp.a gateway/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz_cache_control
tests_fuzz_fuzz_cache_control_SOURCES = tests/fuzz/fuzz_cache_control.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cache_control_LDADD = $(CACHE_FUZZ_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_conf
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c $(FUZZ_MAIN)
tests_fuzz_fuzz_conf_LDADD = gateway/conf/libconf.a gateway/base/libbase.a $(YAML_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_decode
tests_fuzz_fuzz_decode_SOURCES = tests/fuzz/fuzz_decode.c $(FUZZ_MAIN)
tests_fuzz_fuzz_decode_LDADD = gateway/filter/libfilter.a gateway/http/libhttp.a gateway/base/libbase.a $(CODING_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_forwarded
tests_fuzz_fuzz_forwarded_SOURCES = tests/fuzz/fuzz_forwarded.c $(FUZZ_MAIN)
tests_fuzz_fuzz_forwarded_LDADD = gateway/access/libaccess.a gateway/http/libhttp.a \
	gateway/conf/libconf.a gateway/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz_h1_body
tests_fuzz_fuzz_h1_body_SOURCES = tests/fuzz/fuzz_h1_body.c $(FUZZ_MAIN)
tests_fuzz_fuzz_h1_body_LDADD = gateway/http/libhttp.a gateway/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz_h1_request
tests_fuzz_fuzz_h1_request_SOURCES = tests/fuzz/fuzz_h1_request.c $(FUZZ_MAIN)
tests_fuzz_fuzz_h1_request_LDADD = gateway/http/libhttp.a gateway/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz_h1_response
tests_fuzz_fuzz_h1_response_SOURCES = tests/fuzz/fuzz_h1_response.c $(FUZZ_MAIN)
tests_fuzz_fuzz_h1_response_LDADD = gateway/http/libhttp.a gateway/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz_http_date
tests_fuzz_fuzz_http_date_SOURCES = tests/fuzz/fuzz_http_date.c $(FUZZ_MAIN)
tests_fuzz_fuzz_http_date_LDADD = $(CACHE_FUZZ_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_mask
tests_fuzz_fuzz_mask_SOURCES = tests/fuzz/fuzz_mask.c $(FUZZ_MAIN)
tests_fuzz_fuzz_mask_LDADD = gateway/filter/libfilter.a gateway/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz_mmdb
tests_fuzz_fuzz_mmdb_SOURCES = tests/fuzz/fuzz_mmdb.c $(FUZZ_MAIN)
tests_fuzz_fuzz_mmdb_LDADD = geo/libgeo.a gateway/base/libbase.a $(MAXMINDDB_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_origin_answer
tests_fuzz_fuzz_origin_answer_SOURCES = tests/fuzz/fuzz_origin_answer.c $(FUZZ_MAIN)
# the shim over libmodsecurity is in it, which is C++
nodist_EXTRA_tests_fuzz_fuzz_origin_answer_SOURCES = dummy.cxx
tests_fuzz_fuzz_origin_answer_LDADD = $(YETT_ARCHIVES) $(YETT_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_proxy_header
tests_fuzz_fuzz_proxy_header_SOURCES = tests/fuzz/fuzz_proxy_header.c $(FUZZ_MAIN)
tests_fuzz_fuzz_proxy_header_LDADD = gateway/net/libnet.a gateway/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz_prefixes
tests_fuzz_fuzz_prefixes_SOURCES = tests/fuzz/fuzz_prefixes.c $(FUZZ_MAIN)
tests_fuzz_fuzz_prefixes_LDADD = gateway/access/libaccess.a gateway/conf/libconf.a gateway/base/libbase.a $(YAML_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_range
tests_fuzz_fuzz_range_SOURCES = tests/fuzz/fuzz_range.c $(FUZZ_MAIN)
tests_fuzz_fuzz_range_LDADD = $(CACHE_FUZZ_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_redis_reply
tests_fuzz_fuzz_redis_reply_SOURCES = tests/fuzz/fuzz_redis_reply.c $(FUZZ_MAIN)
tests_fuzz_fuzz_redis_reply_LDADD = gateway/redis/libredis.a gateway/base/libbase.a $(HIREDIS_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_template
tests_fuzz_fuzz_template_SOURCES = tests/fuzz/fuzz_template.c $(FUZZ_MAIN)
tests_fuzz_fuzz_template_LDADD = gateway/filter/libfilter.a gateway/http/libhttp.a gateway/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz_uri
tests_fuzz_fuzz_uri_SOURCES = tests/fuzz/fuzz_uri.c $(FUZZ_MAIN)
tests_fuzz_fuzz_uri_LDADD = gateway/http/libhttp.a gateway/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz_vary
tests_fuzz_fuzz_vary_SOURCES = tests/fuzz/fuzz_vary.c $(FUZZ_MAIN)
tests_fuzz_fuzz_vary_LDADD = $(CACHE_FUZZ_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_waf_body
tests_fuzz_fuzz_waf_body_SOURCES = tests/fuzz/fuzz_waf_body.c $(FUZZ_MAIN)
tests_fuzz_fuzz_waf_body_LDADD = rules/librules.a gateway/base/libbase.a $(JANSSON_LIBS)

# ---
FUZZ_MAIN = tests/fuzz/fuzz.h tests/fuzz/replay_main.c
EXTRA_DIST += tests/fuzz/run.sh tests/fuzz/corpus tests/fuzz/http.dict tests/fuzz/conf.dict tests/fuzz/mask.dict tests/fuzz/mmdb.dict tests/fuzz/forwarded.dict
FUZZ_RUN = FUZZ_NAMES='$(FUZZ_TARGETS)' FUZZ_SECONDS='$(FUZZ_SECONDS)' \
	$(SHELL) $(srcdir)/tests/fuzz/run.sh

fuzz:
	@$(FUZZ_RUN) fuzz '$(abs_top_srcdir)' '$(abs_top_builddir)'
fuzz-merge:
	@$(FUZZ_RUN) merge '$(abs_top_srcdir)' '$(abs_top_builddir)'
clean-local: clean-fuzz
clean-fuzz:
	-rm -rf fuzz-build

.PHONY: fuzz fuzz-merge clean-fuzz
