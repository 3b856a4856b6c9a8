noinst_LIBRARIES += gateway/request/librequest.a
gateway_request_librequest_a_SOURCES = \
	gateway/request/answer.c \
	gateway/request/answer.h \
	gateway/request/audit.c \
	gateway/request/audit.h \
	gateway/request/connection.c \
	gateway/request/connection.h \
	gateway/request/exchange.c \
	gateway/request/exchange.h \
	gateway/request/origin_head.c \
	gateway/request/origin_head.h \
	gateway/request/request.c \
	gateway/request/request.h \
	gateway/request/sender.c \
	gateway/request/sender.h \
	gateway/request/snapshot.h \
	gateway/request/spool.c \
	gateway/request/spool.h \
	gateway/request/step.h \
	gateway/request/waf_call.c \
	gateway/request/waf_call.h \
	gateway/request/worker.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_audit
tests_unit_test_audit_SOURCES = tests/unit/test_audit.c
tests_unit_test_audit_LDADD = gateway/request/librequest.a gateway/filter/libfilter.a \
	gateway/http/libhttp.a gateway/base/libbase.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
endif
