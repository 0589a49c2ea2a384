// memory returns an adapter for oidc-provider that keeps everything until it
// expires. The built-in one forgets after 1,000 entries, and with its Provider.
export function memory() {
  const rows = new Map();

  const live = (key) => {
    const row = rows.get(key);
    if (!row) return undefined;
    if (row.expires > Date.now()) return row.payload;
    rows.delete(key);
    return undefined;
  };
  const search = (model, field, value) => {
    for (const key of rows.keys()) {
      if (!key.startsWith(`${model}:`)) continue;
      const payload = live(key);
      if (payload?.[field] === value) return payload;
    }
    return undefined;
  };

  return class {
    constructor(model) {
      this.model = model;
    }

    async upsert(id, payload, expiresIn) {
      rows.set(`${this.model}:${id}`, { payload, expires: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    }

    async find(id) {
      return live(`${this.model}:${id}`);
    }

    async findByUid(uid) {
      return search(this.model, 'uid', uid);
    }

    async findByUserCode(userCode) {
      return search(this.model, 'userCode', userCode);
    }

    async consume(id) {
      const payload = live(`${this.model}:${id}`);
      if (payload) payload.consumed = Math.floor(Date.now() / 1000);
    }

    async destroy(id) {
      rows.delete(`${this.model}:${id}`);
    }

    async revokeByGrantId(grantId) {
      for (const [key, { payload }] of rows) {
        if (payload.grantId === grantId) rows.delete(key);
      }
    }
  };
}
