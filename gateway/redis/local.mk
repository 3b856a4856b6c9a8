noinst_LIBRARIES += gateway/redis/libredis.a
gateway_redis_libredis_a_SOURCES = \
	gateway/redis/redis.h
# Lua to C, for the folders that have scripts.
EXTRA_DIST += gateway/redis/embed.sh
