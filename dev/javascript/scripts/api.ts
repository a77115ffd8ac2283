/** The host's `/scripts/api.js`, as far as the pack uses it. Read by `tsc` alone. */
export declare const api: Comfy.Api;
