noinst_LIBRARIES += gateway/http/libhttp.a
gateway_http_libhttp_a_SOURCES = gateway/http/fields.h gateway/http/h1.h gateway/http/message.h gateway/http/uri.h 
