using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Policies.AdaptiveConcurrency;
using Tidegate.Policies.AdaptiveThrottle;
using Tidegate.Policies.Cache;
using Tidegate.Policies.CircuitBreaker;
using Tidegate.Policies.Credential;
using Tidegate.Policies.Fallback;
using Tidegate.Policies.Hedge;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Prices;
using Tidegate.Policies.Retry;
using Tidegate.Policies.Webhook;

namespace Tidegate.Configuration;

/// <summary>Fills in what the file leaves open, so that what holds can be read without a list of defaults beside it.</summary>
internal static class EffectiveConfig
{
    /// <param name="config">As bound.</param>
    /// <param name="positions">Learns that the filled records stand where the originals stood.</param>
    /// <param name="tunnel">What a CONNECT to an API's hosts does when the API does not say.</param>
    public static GatewayConfig Of(GatewayConfig config, ConfigPositions positions, Func<ApiConfig, TunnelMode> tunnel)
    {
        return Filled(config, config with
        {
            Listeners = Filled(config.Listeners, new ListenersConfig
            {
                Egress = config.Listeners.Egress is { } egress ? Filled(egress, egress with { Limits = Limits(egress.Limits) }) : null,
                Ingress = config.Listeners.Ingress is { } ingress ? Filled(ingress, ingress with { Limits = Limits(ingress.Limits) }) : null,
                Admin = config.Listeners.Admin is { SignIn: { } signIn } admin
                    ? Filled(admin, admin with { SignIn = Filled(signIn, signIn with { Session = signIn.Session ?? SignInSettings.DefaultSessionLife }) })
                    : config.Listeners.Admin ?? new AdminListenerConfig(),
            }),
            Defaults = Filled(config.Defaults, new DefaultsConfig
            {
                Egress = Filled(config.Defaults.Egress, config.Defaults.Egress with { Timeouts = Timeouts(config.Defaults.Egress.Timeouts, UpstreamTimeouts.Default) }),
                Ingress = Filled(config.Defaults.Ingress, new IngressDefaultsConfig { Timeouts = Timeouts(config.Defaults.Ingress.Timeouts, UpstreamTimeouts.Default) }),
            }),
            Apis = [.. config.Apis.Select(Api)],
            Cache = Filled(config.Cache, config.Cache with { Memory = config.Cache.Memory ?? AnswerStore.DefaultMaxBytes }),
            Recording = Filled(config.Recording, config.Recording with
            {
                Metrics = Filled(config.Recording.Metrics, new MetricsConfig { MaxSeries = config.Recording.Metrics.MaxSeries ?? ControlCompiler.DefaultMaxSeries }),
                RecentExchanges = config.Recording.RecentExchanges ?? ControlCompiler.DefaultRecentExchanges,
                Store = config.Recording.Store.Path == ControlCompiler.Off ? config.Recording.Store : Filled(config.Recording.Store, config.Recording.Store with
                {
                    MaxSize = config.Recording.Store.MaxSize ?? KeepSettings.DefaultMaxBytes,
                    MaxAge = config.Recording.Store.MaxAge ?? KeepSettings.DefaultMaxAge,
                }),
            }),
        });

        ApiConfig Api(ApiConfig api)
        {
            var inherited = api.Direction == Direction.Egress ? config.Defaults.Egress.Timeouts : config.Defaults.Ingress.Timeouts;
            var timeouts = UpstreamCompiler.Timeouts(UpstreamTimeouts.Default, inherited);
            return Filled(api, api with
            {
                Timeouts = Timeouts(api.Timeouts, timeouts),
                Limits = [.. api.Limits.Select(Limit)],
                Cost = [.. api.Cost.Select(Price)],
                Credential = api.Credential is { Keys.Count: > 0 } credential ? Filled(credential, credential with { Balance = credential.Balance ?? KeyChoice.RoundRobin, SetAside = credential.SetAside ?? KeyPoolSettings.DefaultSetAside }) : api.Credential,
                Retry = api.Retry is { } retry ? Retry(retry) : null,
                CircuitBreaker = api.CircuitBreaker is { } breaker ? CircuitBreaker(breaker) : null,
                AdaptiveThrottle = api.AdaptiveThrottle is { } throttle ? AdaptiveThrottle(throttle) : null,
                AdaptiveConcurrency = api.AdaptiveConcurrency is { } concurrency ? AdaptiveConcurrency(concurrency) : null,
                Hedge = api.Hedge is { } hedge ? Hedge(hedge) : null,
                Fallback = api.Fallback is { } fallback ? Fallback(fallback) : null,
                Cache = Cache(api, api.Cache),
                Tunnel = api.Direction == Direction.Egress ? api.Tunnel ?? tunnel(api) : null,
                Endpoints = [.. api.Endpoints.Select(endpoint => Filled(endpoint, endpoint with
                {
                    Name = SnapshotCompiler.EndpointName(endpoint),
                    Limits = [.. endpoint.Limits.Select(Limit)],
                    Cost = [.. endpoint.Cost.Select(Price)],
                    Retry = endpoint.Retry is { } ownRetry ? Retry(ownRetry) : null,
                    CircuitBreaker = endpoint.CircuitBreaker is { } ownBreaker ? CircuitBreaker(ownBreaker) : null,
                    AdaptiveThrottle = endpoint.AdaptiveThrottle is { } ownThrottle ? AdaptiveThrottle(ownThrottle) : null,
                    AdaptiveConcurrency = endpoint.AdaptiveConcurrency is { } ownConcurrency ? AdaptiveConcurrency(ownConcurrency) : null,
                    Hedge = endpoint.Hedge is { } ownHedge ? Hedge(ownHedge) : null,
                    Fallback = endpoint.Fallback is { } ownFallback ? Fallback(ownFallback) : null,
                    Cache = Cache(api, endpoint.Cache),
                    Webhook = endpoint.Webhook is { } webhook ? Webhook(webhook) : null,
                    Timeouts = Timeouts(endpoint.Timeouts, UpstreamCompiler.Timeouts(timeouts, api.Timeouts)),
                }))],
            });
        }

        LimitConfig Limit(LimitConfig own) => Filled(own, own with
        {
            MaxWait = own.WhenExceeded == WhenExceeded.Queue ? own.MaxWait ?? LimitCompiler.DefaultMaxWait : null,
            Overrides = [.. own.Overrides.Select(other => Filled(other, other with { Burst = other.Burst ?? own.Burst }))],
        });

        PriceConfig Price(PriceConfig own) => Filled(own, own with { Billed = CostCompiler.BilledOf(own), Content = own.PerSize.Count > 0 ? own.Content ?? PricedContent.Both : own.Content });

        RetryConfig Retry(RetryConfig own) => Filled(own, own with
        {
            Attempts = own.Attempts ?? RetrySettings.DefaultAttempts,
            Backoff = Filled(own.Backoff, new BackoffConfig { Base = own.Backoff.Base ?? RetrySettings.DefaultBase, Max = own.Backoff.Max ?? RetrySettings.DefaultMax }),
            Budget = own.Budget ?? RetrySettings.DefaultBudget,
            Statuses = own.Statuses.Count > 0 ? own.Statuses : [.. RetrySettings.DefaultStatuses.Order()],
            MaxBody = own.MaxBody ?? RetrySettings.DefaultMaxBodyBytes,
        });

        AdaptiveThrottleConfig AdaptiveThrottle(AdaptiveThrottleConfig own) => Filled(own, own with
        {
            Headroom = own.Headroom ?? AdaptiveThrottleSettings.DefaultHeadroom,
            Window = own.Window ?? AdaptiveThrottleSettings.DefaultWindow,
        });

        AdaptiveConcurrencyConfig AdaptiveConcurrency(AdaptiveConcurrencyConfig own) => Filled(own, own with
        {
            Min = own.Min ?? AdaptiveConcurrencySettings.DefaultMin,
            Max = own.Max ?? AdaptiveConcurrencySettings.DefaultMax,
            ProbeEvery = own.ProbeEvery ?? AdaptiveConcurrencySettings.DefaultProbeEvery,
        });

        CircuitBreakerConfig CircuitBreaker(CircuitBreakerConfig own) => Filled(own, own with
        {
            FailureRatio = own.FailureRatio ?? CircuitBreakerSettings.DefaultFailureRatio,
            Minimum = own.Minimum ?? CircuitBreakerSettings.DefaultMinimum,
            Window = own.Window ?? CircuitBreakerSettings.DefaultWindow,
            OpenFor = own.OpenFor ?? CircuitBreakerSettings.DefaultOpenFor,
            Probes = own.Probes ?? 1,
        });

        HedgeConfig Hedge(HedgeConfig own) => Filled(own, own with { After = own.After ?? HedgeCompiler.DefaultAfter, Budget = own.Budget ?? HedgeSettings.DefaultBudget, Max = own.Max ?? HedgeSettings.DefaultMax });

        FallbackConfig Fallback(FallbackConfig own) => Filled(own, own with
        {
            Status = own.Status ?? FallbackSettings.DefaultStatus,
            ContentType = own.ContentType ?? FallbackSettings.DefaultContentType,
            When = own.When.Count > 0 ? own.When : FallbackCompiler.DefaultWhen,
        });

        CacheConfig? Cache(ApiConfig api, CacheConfig? own) => own is null ? null : Filled(own, own with
        {
            Partition = own.Partition ?? (api.Direction == Direction.Egress ? CachePartition.Credential : CachePartition.Consumer),
            MaxEntry = own.MaxEntry ?? CacheCompiler.DefaultMaxEntryBytes,
            StaleOnFailure = own.StaleOnFailure ?? CacheCompiler.DefaultStaleOnFailure,
        });

        WebhookConfig Webhook(WebhookConfig own) => Filled(own, own with
        {
            Header = own.Header ?? WebhookCompiler.DefaultHeader(own.Signature),
            Tolerance = own.Tolerance ?? WebhookSettings.DefaultTolerance,
            MaxContent = own.MaxContent ?? WebhookSettings.DefaultMaxContentBytes,
        });

        TimeoutsConfig Timeouts(TimeoutsConfig own, UpstreamTimeouts inherited)
        {
            var timeouts = UpstreamCompiler.Timeouts(inherited, own);
            return Filled(own, new TimeoutsConfig { Connect = timeouts.Connect, ResponseHeaders = timeouts.ResponseHeaders, Idle = timeouts.Idle, Total = timeouts.Total });
        }

        LimitsConfig Limits(LimitsConfig own)
        {
            var limits = ListenerCompiler.Limits(own);
            return Filled(own, new LimitsConfig
            {
                Head = limits.MaxHeadBytes,
                Target = limits.MaxTargetBytes,
                Trailers = limits.MaxTrailerBytes,
                BodyRate = limits.MinBodyBytesPerSecond,
                BodyGrace = limits.BodyGrace,
                StallTimeout = limits.StallTimeout,
                Drain = limits.MaxDrainBytes,
                DrainTimeout = limits.DrainTimeout,
                HeaderCount = limits.MaxHeaderCount,
                HeaderTimeout = limits.HeaderTimeout,
                IdleTimeout = limits.IdleTimeout,
                Connections = limits.MaxConnections,
                ConnectionsPerAddress = limits.MaxConnectionsPerAddress,
                StreamsPerConnection = limits.MaxStreamsPerConnection,
            });
        }

        T Filled<T>(T original, T filled)
            where T : class
        {
            positions.Alias(filled, original);
            return filled;
        }
    }
}
