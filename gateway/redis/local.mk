noinst_LIBRARIES += gateway/redis/libredis.a
gateway_redis_libredis_a_SOURCES = \
	gateway/redis/redis.h
