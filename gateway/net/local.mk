noinst_LIBRARIES += gateway/net/libnet.a
gateway_net_libnet_a_SOURCES = \
	gateway/net/connlimit.c \
	gateway/net/listener.c \
	gateway/net/listener.h \
	gateway/net/proxy_header.c \
	gateway/net/proxy_header.h \
	gateway/net/socket.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_connlimit tests/unit/test_listener \
	tests/unit/test_proxy_header
endif
NET_TEST_LIBS = gateway/net/libnet.a gateway/loop/libloop.a gateway/base/libbase.a \
	$(EV_LIBS) $(CMOCKA_LIBS)
tests_unit_test_connlimit_SOURCES = tests/unit/test_connlimit.c
tests_unit_test_connlimit_LDADD = $(NET_TEST_LIBS)
tests_unit_test_listener_SOURCES = tests/unit/test_listener.c
tests_unit_test_listener_LDADD = $(NET_TEST_LIBS)
tests_unit_test_proxy_header_SOURCES = tests/unit/test_proxy_header.c
tests_unit_test_proxy_header_LDADD = $(NET_TEST_LIBS)
