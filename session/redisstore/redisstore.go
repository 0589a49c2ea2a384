// Package redisstore keeps sessions in Redis.
package redisstore

import _ "github.com/redis/go-redis/v9"
