-- \ " ? ??/ % 	 Straße: bytes that C would take for something else
redis.call("SET", KEYS[1], ARGV[1])
return { KEYS[1], ARGV[1], "\\n\"" }