using System.Collections;
using System.Reflection;
using Tidegate.Policies;

namespace Tidegate.Configuration.Comparison;

/// <summary>Says what a difference means for calls, where that can be said without knowing the calls.</summary>
internal static class ConfigConsequences
{
    public static ConfigDifference AddTo(ConfigDifference difference) => difference with
    {
        Consequences = [.. Of(difference)],
        NeedsRestart = NeedsRestart(difference),
    };

    /// <summary>A listener that comes or goes (the admin listener is there unwritten), cleartext that becomes TLS or the reverse, and the keys that say so themselves.</summary>
    private static bool NeedsRestart(ConfigDifference difference) =>
        difference.Property.IsDefined(typeof(NeedsRestartAttribute))
        || (difference.Owners.New is ListenersConfig && (difference.Values.New ?? difference.Values.Old) is not AdminListenerConfig { Address: AdminListenerConfig.DefaultAddress })
        || (difference.Owners is (IngressListenerConfig { Tls.Count: var before }, IngressListenerConfig { Tls.Count: var after })
            && difference.Property.Name == nameof(IngressListenerConfig.Tls) && before == 0 != (after == 0));

    private static IEnumerable<string> Of(ConfigDifference difference) => (difference.Owners.New, difference.Property.Name) switch
    {
        (EgressDefaultsConfig, nameof(EgressDefaultsConfig.UnlistedHosts)) => [Unlisted((UnlistedHosts)difference.Values.New!)],
        (GatewayConfig, nameof(GatewayConfig.Apis)) => Api(difference),
        (GatewayConfig, nameof(GatewayConfig.Consumers)) when difference.Kind == DifferenceKind.Removed =>
            ["Its keys are no longer known: 401 where an API needs a key, anonymous elsewhere."],
        (ConsumerConfig, nameof(ConsumerConfig.Credentials)) when difference.Kind == DifferenceKind.Removed => ["Callers with this credential are no longer known."],
        (CredentialConfig, nameof(CredentialConfig.ApiKey)) => ["Callers with the old key are no longer known."],
        (ConsumerConfig, nameof(ConsumerConfig.Tenant) or nameof(ConsumerConfig.Environment)) => ["Records and metrics of its calls change with it."],
        (ApiConfig, nameof(ApiConfig.Authenticate)) => Authenticate(difference),
        (AuthenticateConfig, nameof(AuthenticateConfig.Required)) =>
            [difference.Values.New is true ? "Callers without a credential will get 401, or 407 on the proxy." : "Callers without a credential will pass, as anonymous."],
        (ApiKeyAuthenticateConfig, nameof(ApiKeyAuthenticateConfig.Header)) => ["Callers that send the key in the old field will be as if they sent none."],
        (FallbackConfig, "Mode") when difference.Values.New is PolicyMode mode =>
            [mode == PolicyMode.Observe ? "Callers will get the refusal or failure itself; where the fixed answer would have stood in is recorded." : "Callers will get the fixed answer where it was only recorded."],
        (CredentialInjectionConfig, "Mode") =>
            [difference.Values.New is PolicyMode.Observe ? "Calls will carry the key whose turn it is, also one that the provider refuses." : "Keys that the provider refuses will be set aside, and calls go on with another."],
        (EjectionConfig, "Mode") =>
            [difference.Values.New is PolicyMode.Observe ? "Calls will go on to a destination that does not answer when its turn comes." : "A destination that does not answer will be left out for a while; with those that were only recorded that begins at once."],
        (RetryConfig or HedgeConfig, "Mode") when difference.Values.New is PolicyMode mode =>
            [mode == PolicyMode.Observe ? "Nothing will be sent again; what would have been is recorded." : "What was only recorded will be sent again."],
        (_, "Mode") when difference.Values.New is PolicyMode mode =>
            [mode == PolicyMode.Observe ? "What was refused will pass, and be recorded as would have been refused." : "What was only recorded will be refused."],
        (_, "Access") => Access(difference),
        (AccessConfig, nameof(AccessConfig.Consumers)) => Words(difference, "every caller", "403"),
        (AccessConfig, nameof(AccessConfig.Methods)) => Words(difference, "every method", "405"),
        (ApiConfig, nameof(ApiConfig.Credential)) => difference.Kind == DifferenceKind.Added
            ? ["What callers send in this field is replaced."]
            : ["The upstream gets what the caller sends in this field, or nothing."],
        (UpstreamTlsConfig, nameof(UpstreamTlsConfig.Verify)) when difference.Values.New is false => ["Anybody between the gateway and this upstream can read and change the calls."],
        (EgressListenerConfig, nameof(EgressListenerConfig.Intercept)) =>
            [difference.Values.New is true ? "CONNECT to listed hosts will be opened: clients must trust the gateway's CA." : "CONNECT will be carried unopened, or refused where an API has rules about content."],
        (IngressListenerConfig, nameof(IngressListenerConfig.TrustedProxies)) => ["Whose X-Forwarded-* and Forwarded fields are believed changes with it."],
        (GatewayConfig, nameof(GatewayConfig.StateDirectory)) => ["The CA and other state stay in the old directory: move them first."],
        _ => [],
    };

    private static string Unlisted(UnlistedHosts choice) => choice switch
    {
        UnlistedHosts.Allow => "Calls to hosts that no API lists will pass.",
        UnlistedHosts.Observe => "Calls to hosts that no API lists will pass, and be recorded as would have been refused.",
        _ => "Calls to hosts that no API lists will get 403 host_not_listed.",
    };

    private static IEnumerable<string> Api(ConfigDifference difference)
    {
        if (difference.Values.New is ApiConfig { Authenticate.Count: 0, Access: null or { Consumers.Count: 0 } })
        {
            yield return "It asks for no credential: everybody who reaches the listener may call it.";
        }
    }

    private static IEnumerable<string> Authenticate(ConfigDifference difference)
    {
        var (before, after) = (((ApiConfig)difference.Owners.Old).Authenticate, ((ApiConfig)difference.Owners.New).Authenticate);
        if (before.Count > 0 && after.Count == 0)
        {
            yield return "Callers without a credential will pass, as anonymous.";
        }
        else if (before.Count == 0 && after.Any(way => way.Required && way.Mode == PolicyMode.Enforce))
        {
            yield return "Callers without a credential will get 401, or 407 on the proxy.";
        }
    }

    private static IEnumerable<string> Access(ConfigDifference difference)
    {
        if (difference.Owners.New is EndpointConfig)
        {
            yield return difference.Kind == DifferenceKind.Added ? "It replaces the API's access for this endpoint." : "The API's access holds for this endpoint.";
        }
        else if (difference.Kind == DifferenceKind.Removed)
        {
            yield return "Every caller and method will pass.";
        }
        else
        {
            yield return "Callers and methods that it does not list will be refused.";
        }
    }

    /// <summary>An empty list means everybody, so the first and the last entry change more than themselves.</summary>
    private static IEnumerable<string> Words(ConfigDifference difference, string all, string status)
    {
        var (before, after) = (((IList)difference.Values.Old!).Count, ((IList)difference.Values.New!).Count);
        if (after == 0)
        {
            yield return $"Now {all} may.";
        }
        else if (before == 0)
        {
            yield return $"Before, {all} could; what is not listed will get {status}.";
        }
    }
}
