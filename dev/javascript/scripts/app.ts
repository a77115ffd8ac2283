/** The host's `/scripts/app.js`, as far as the pack uses it. Read by `tsc` alone. */
export declare const app: Comfy.App;
