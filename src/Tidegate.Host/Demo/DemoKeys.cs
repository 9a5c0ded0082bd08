namespace Tidegate.Host.Demo;

/// <summary>The keys of the demo. They open nothing but the demo, so they may be known.</summary>
internal static class DemoKeys
{
    /// <summary>Consumers, in the order of samples/demo/consumers.yaml.</summary>
    public static IReadOnlyList<string> Consumers { get; } =
        ["storefront", "storefront-staging", "checkout", "warehouse", "support", "reports", "orders", "developer", "globex-shop", "northwind", "fabrikam", "tailspin"];

    /// <summary>Third parties that want a key of ours.</summary>
    public static IReadOnlyList<string> Providers { get; } = ["payments", "shipping", "assistant", "assistant-spare"];

    /// <summary>What the catalogue signs its webhooks with.</summary>
    public const string CatalogueHooks = "catalogue-hooks-demo-key";

    /// <summary>What a consumer shows to the gateway.</summary>
    public static string Consumer(string name) => name + "-demo-key";

    /// <summary>What the gateway shows to a third party. No caller has it.</summary>
    public static string Provider(string api) => api + "-provider-demo-key";
}
