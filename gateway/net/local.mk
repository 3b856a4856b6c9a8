noinst_LIBRARIES += gateway/net/libnet.a
gateway_net_libnet_a_SOURCES = \
	gateway/net/connlimit.c \
	gateway/net/listener.c \
	gateway/net/listener.h \
	gateway/net/socket.c
