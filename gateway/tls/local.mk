noinst_LIBRARIES += gateway/tls/libtls.a
gateway_tls_libtls_a_SOURCES = \
	gateway/tls/certificate.c \
	gateway/tls/client.c \
	gateway/tls/common.c \
	gateway/tls/internal.h \
	gateway/tls/ocsp.c \
	gateway/tls/selfsigned.c \
	gateway/tls/server.c \
	gateway/tls/sni.c \
	gateway/tls/stream.c \
	gateway/tls/ticket.c \
	gateway/tls/tls.h
