noinst_LIBRARIES += gateway/steps/libsteps.a
gateway_steps_libsteps_a_SOURCES = \
	gateway/steps/access.c \
	gateway/steps/auth.c \
	gateway/steps/body.c \
	gateway/steps/cache.c \
	gateway/steps/deliver.c \
	gateway/steps/fetch.c \
	gateway/steps/identity.c \
	gateway/steps/limit.c \
	gateway/steps/log.c \
	gateway/steps/route.c \
	gateway/steps/waf_request.c \
	gateway/steps/waf_response.c
