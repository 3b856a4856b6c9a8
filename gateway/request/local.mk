noinst_LIBRARIES += gateway/request/librequest.a
gateway_request_librequest_a_SOURCES = gateway/request/audit.h 
