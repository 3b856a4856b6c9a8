noinst_LIBRARIES += gateway/request/librequest.a
gateway_request_librequest_a_SOURCES = \
	gateway/request/answer.c \
	gateway/request/answer.h \
	gateway/request/audit.c \
	gateway/request/audit.h \
	gateway/request/caching.c \
	gateway/request/caching.h \
	gateway/request/caching_body.c \
	gateway/request/caching_inside.h \
	gateway/request/caching_keep.c \
	gateway/request/connection.c \
	gateway/request/connection.h \
	gateway/request/exchange.c \
	gateway/request/exchange.h \
	gateway/request/origin_choice.c \
	gateway/request/origin_choice.h \
	gateway/request/origin_head.c \
	gateway/request/origin_head.h \
	gateway/request/refresh.c \
	gateway/request/refusal.h \
	gateway/request/pack.c \
	gateway/request/pack.h \
	gateway/request/request.c \
	gateway/request/request.h \
	gateway/request/sender.c \
	gateway/request/sender.h \
	gateway/request/snapshot.h \
	gateway/request/source.c \
	gateway/request/source.h \
	gateway/request/spool.c \
	gateway/request/spool.h \
	gateway/request/step.h \
	gateway/request/tally.c \
	gateway/request/tally.h \
	gateway/request/unpack.c \
	gateway/request/unpack.h \
	gateway/request/variables.c \
	gateway/request/variables.h \
	gateway/request/waf_call.c \
	gateway/request/waf_call.h \
	gateway/request/worker.h

REQUEST_RIG = tests/unit/request_rig.c tests/unit/request_rig.h
REQUEST_TEST_LDADD = gateway/request/librequest.a gateway/loop/libloop.a \
	gateway/base/libbase.a $(EV_LIBS) $(CMOCKA_LIBS)
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_answer tests/unit/test_audit \
	tests/unit/test_origin_head tests/unit/test_sender tests/unit/test_spool
endif
tests_unit_test_answer_SOURCES = tests/unit/test_answer.c $(REQUEST_RIG)
tests_unit_test_answer_LDADD = $(YETT_ARCHIVES) $(YETT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_audit_SOURCES = tests/unit/test_audit.c
tests_unit_test_audit_LDADD = gateway/request/librequest.a gateway/filter/libfilter.a \
	gateway/http/libhttp.a gateway/base/libbase.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_origin_head_SOURCES = tests/unit/test_origin_head.c $(REQUEST_RIG)
tests_unit_test_origin_head_LDADD = $(YETT_ARCHIVES) $(YETT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_sender_SOURCES = tests/unit/test_sender.c
tests_unit_test_sender_LDADD = $(REQUEST_TEST_LDADD)
tests_unit_test_spool_SOURCES = tests/unit/test_spool.c
tests_unit_test_spool_LDADD = $(REQUEST_TEST_LDADD)
