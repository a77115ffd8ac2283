/**
 * Short names for the host's types, good in JSDoc everywhere under `web/` without an import: `@param {Comfy.Node} node`.
 *
 * The types come from `@comfyorg/comfyui-frontend-types`. Its rolled-up file lacks what the host adds to its classes at
 * run time, knows the host's own setting ids only, and leaves workflows untyped: that much is put right here, for what
 * the pack uses. Read by `tsc` alone; nothing of this file reaches a browser.
 */
import type {
  BottomPanelExtension,
  ComfyApi,
  ComfyApp,
  ComfyExtension,
  DOMWidget as HostDOMWidget,
  DOMWidgetOptions as HostDOMWidgetOptions,
  SidebarTabExtension,
  ToastMessageOptions,
} from "@comfyorg/comfyui-frontend-types";

type Called = (...given: never[]) => unknown;
type HostNode = Parameters<NonNullable<ComfyExtension["nodeCreated"]>>[0];
type HostSetting = NonNullable<ComfyExtension["settings"]>[number];

/** The members that have a name: an index signature would let every misspelt hook through. */
type Named<T> = { [K in keyof T as string extends K ? never : K]: T[K] };

declare global {
  namespace Comfy {
    type Api = ComfyApi;
    type Command = NonNullable<ComfyExtension["commands"]>[number];
    type SidebarTab = Extract<SidebarTabExtension, { type: "custom" }>;
    type BottomPanelTab = Extract<BottomPanelExtension, { type: "custom" }>;
    type MenuItem = NonNullable<ReturnType<NonNullable<ComfyExtension["getNodeMenuItems"]>>[number]>;
    type Toast = ToastMessageOptions;
    type Widget = NonNullable<HostNode["widgets"]>[number];
    type Badge = Exclude<HostNode["badges"][number], Called>;
    type SettingRenderer = Extract<HostSetting["type"], Called>;

    /** The graph as the API takes it: what each node is and what goes into it, by node id. */
    type Prompt = Record<
      string,
      { class_type: string; inputs: Record<string, unknown>; _meta?: { title?: string } }
    >;

    /** The graph as the editor saves it. Its insides are the host's business. */
    type Workflow = Record<string, unknown>;

    interface Setting extends Omit<HostSetting, "id"> {
      id: string;
    }

    /** The running application: settings of any id may be registered, and its graph has types. */
    interface App extends Omit<ComfyApp, "registerExtension" | "graphToPrompt" | "loadGraphData"> {
      registerExtension(extension: Extension): void;
      graphToPrompt(graph?: ComfyApp["rootGraph"]): Promise<{ workflow: Workflow; output: Prompt }>;
      loadGraphData(graph?: Workflow, clean?: boolean, restoreView?: boolean, name?: string | null): Promise<void>;
    }

    /** An extension whose hooks get our `Node`, with the hook that the published types forgot. */
    interface Extension
      extends Omit<
        Named<ComfyExtension>,
        "init" | "setup" | "settings" | "nodeCreated" | "loadedGraphNode" | "getNodeMenuItems"
      > {
      settings?: Setting[];
      init?(app: App): Promise<void> | void;
      setup?(app: App): Promise<void> | void;
      nodeCreated?(node: Node, app: App): void;
      loadedGraphNode?(node: Node, app: App): void;
      getNodeMenuItems?(node: Node): (MenuItem | null)[];
      onNodeOutputsUpdated?(outputs: Record<string, Record<string, unknown>>): void;
    }

    /** An HTML element as a widget. `widget.serialize` is about the workflow, `options.serialize` about the prompt. */
    type DOMWidget<E extends HTMLElement = HTMLElement, V extends object | string = string> = HostDOMWidget<E, V>;
    type DOMWidgetOptions<V extends object | string = string> = HostDOMWidgetOptions<V>;

    /** A node in the editor, with what the host adds to the class at run time. */
    interface Node extends HostNode {
      addDOMWidget<E extends HTMLElement, V extends object | string = string>(
        name: string,
        type: string,
        element: E,
        options?: DOMWidgetOptions<V>,
      ): DOMWidget<E, V>;
      onExecuted?(output: Record<string, unknown>): void;
    }

    /** What a badge may be made of. */
    type BadgeOptions = Pick<Badge, "text"> &
      Partial<Pick<Badge, "fgColor" | "bgColor" | "fontSize" | "padding" | "height" | "cornerRadius" | "onClick">>;
  }

  interface Window {
    /** Not promised by the host: look before use. */
    LGraphBadge?: new (options: Comfy.BadgeOptions) => Comfy.Badge;
    /** The host's modules by name, as `/scripts/*.js` hand them out. Import those instead. */
    comfyAPI?: { app: { app: Comfy.App }; api: { api: Comfy.Api } };
  }
}
