noinst_LIBRARIES += gateway/route/libroute.a
gateway_route_libroute_a_SOURCES = gateway/route/route.h 
