using System.Text;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Cache;
using Tidegate.Policies.Webhook;

namespace Tidegate.Configuration;

/// <summary>Compiles what an endpoint says about webhooks, and finds what is wrong with it.</summary>
internal sealed class WebhookCompiler(ConfigPositions positions, List<ConfigProblem> problems, CompilerServices services, IReadOnlyList<ApiConfig> apis)
{
    private const int MinKeyBytes = 16;
    private const string StandardPrefix = "whsec_";

    // Longer, and a signature that leaked is good for a day.
    private static readonly TimeSpan MaxTolerance = TimeSpan.FromHours(1);

    /// <summary>The field that a scheme has its signature in; null where the configuration must say.</summary>
    public static string? DefaultHeader(WebhookSignature signature) => signature switch
    {
        WebhookSignature.Stripe => "Stripe-Signature",
        WebhookSignature.Github => "X-Hub-Signature-256",
        WebhookSignature.Standard => "webhook-signature",
        _ => null,
    };

    /// <summary>The policy of a route; none where nothing is said.</summary>
    public IEnumerable<IPolicy> Compile(ApiConfig api, EndpointConfig? endpoint)
    {
        if (endpoint?.Webhook is not { } config)
        {
            return [];
        }

        if (api.Direction == Direction.Egress)
        {
            Problem(endpoint, "webhook", "webhooks come in: webhook is for endpoints of ingress APIs");
        }

        if (endpoint.Match.Methods is not ["POST"])
        {
            Problem(endpoint.Match, "methods", "a webhook is a POST; write methods: [POST]");
        }

        var settings = Settings(config) with { Scope = api.Name + "\0" + SnapshotCompiler.EndpointName(endpoint) };
        IReadOnlyList<PurgePlan> plans = [.. config.Purges.Select(Plan)];
        var effect = plans.Count == 0 ? "passes" : string.Join(", ", plans.Select(plan => plan.Describe()));
        return [new WebhookPolicy(settings, services.Webhooks, services.Time, content => plans.Count == 0 ? 0 : PurgePlan.Apply(plans, content, services.Cache), effect)];
    }

    private WebhookSettings Settings(WebhookConfig config)
    {
        var isPlain = config.Signature is WebhookSignature.HmacHex or WebhookSignature.HmacBase64;
        if (isPlain && string.IsNullOrEmpty(config.Header))
        {
            Problem(config, "signature", "hmac_hex and hmac_base64 need header: the field that has the signature");
        }
        else if (config.Header is { } header && (header.Length == 0 || header.Any(letter => !char.IsAsciiLetterOrDigit(letter) && letter is not ('-' or '_'))))
        {
            Problem(config, "header", $"'{header}' is no name of a field");
        }

        if (config.Prefix is not null && !isPlain)
        {
            Problem(config, "prefix", "prefix is for hmac_hex and hmac_base64; the other schemes have their own form");
        }

        if (config.Tolerance > MaxTolerance)
        {
            Problem(config, "tolerance", "tolerance is at most 1h: so long is a signature that leaked of use");
        }

        if (config.MaxContent > WebhookSettings.LargestContentBytes)
        {
            Problem(config, "max_content", $"max_content is at most {WebhookSettings.LargestContentBytes >> 20}MB: no provider sends more, and all of it is held until it is verified");
        }

        byte[][] keys = config.OldSecret is { } old ? [Key(config, "secret", config.Secret), Key(config, "old_secret", old)] : [Key(config, "secret", config.Secret)];
        return new WebhookSettings
        {
            Signature = config.Signature,
            Header = config.Header ?? DefaultHeader(config.Signature) ?? "",
            Prefix = config.Signature == WebhookSignature.Github ? "sha256=" : config.Prefix ?? "",
            Keys = keys,
            Tolerance = config.Tolerance ?? WebhookSettings.DefaultTolerance,
            MaxContentBytes = Math.Min(WebhookSettings.LargestContentBytes, config.MaxContent ?? WebhookSettings.DefaultMaxContentBytes),
            DeliveryHeader = config.Signature == WebhookSignature.Github ? "X-GitHub-Delivery" : null,
            AllowsReplays = config.Replay == WebhookReplay.Allow,
        };
    }

    private byte[] Key(WebhookConfig config, string name, Secret secret)
    {
        var key = Encoding.UTF8.GetBytes(secret.Value);
        if (config.Signature == WebhookSignature.Standard)
        {
            var text = secret.Value.StartsWith(StandardPrefix, StringComparison.Ordinal) ? secret.Value[StandardPrefix.Length..] : secret.Value;
            key = new byte[text.Length];
            if (!Convert.TryFromBase64String(text, key, out var written))
            {
                Problem(config, name, "the key of a standard webhook is base64, with or without whsec_ before it");
                return [];
            }

            key = key[..written];
        }

        if (key.Length < MinKeyBytes)
        {
            Problem(config, name, $"a signing key needs at least {MinKeyBytes} bytes: with less, anybody can try them all");
        }

        return key;
    }

    private PurgePlan Plan(WebhookPurgeConfig config)
    {
        var api = apis.FirstOrDefault(known => known.Name == config.Api);
        if (api is null)
        {
            var meant = Suggestion.For(config.Api, apis.Select(known => known.Name));
            Problem(config, "api", $"there is no API '{config.Api}'" + (meant is null ? "" : $", did you mean '{meant}'?"));
        }
        else if (!CacheCompiler.Stores(api))
        {
            problems.Add(new ConfigProblem(positions.Of(config, "api"), ConfigSeverity.Warning, $"the API '{config.Api}' stores nothing that could be purged; give it a cache"));
        }

        return new PurgePlan
        {
            Api = config.Api,
            Tags = Templates(config, "tags", config.Tags, isUrl: false),
            Urls = Templates(config, "urls", config.Urls, isUrl: true),
            Prefixes = Templates(config, "prefixes", config.Prefixes, isUrl: true),
            IsSoft = config.Soft,
            Queries = api is null ? [] : CacheCompiler.Queries(api),
            Targets = static url => StoredUrls.Of(url, out _),
        };
    }

    private List<PurgeTemplate> Templates(WebhookPurgeConfig config, string key, IReadOnlyList<string> texts, bool isUrl)
    {
        var templates = new List<PurgeTemplate>();
        for (var i = 0; i < texts.Count; i++)
        {
            var (template, problem) = PurgeTemplate.Parse(texts[i]);
            if (template is not null && isUrl && StoredUrls.Of(template.Example(), out problem).Count > 0)
            {
                problem = null;
            }

            if (problem is not null)
            {
                problems.Add(new ConfigProblem(positions.Of(config, key, i), ConfigSeverity.Error, problem));
            }
            else
            {
                templates.Add(template!);
            }
        }

        return templates;
    }

    private void Problem(object record, string key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
