using System.Security.Cryptography;
using Tidegate.Edge;
using Tidegate.Forwarding;
using Tidegate.Forwarding.SocketsHttp;
using Tidegate.Policies.AdaptiveConcurrency;
using Tidegate.Policies.AdaptiveThrottle;
using Tidegate.Policies.Cache;
using Tidegate.Policies.Capture;
using Tidegate.Policies.CircuitBreaker;
using Tidegate.Policies.Credential;
using Tidegate.Policies.Hedge;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Retry;
using Tidegate.Policies.Webhook;

namespace Tidegate.Configuration;

/// <summary>What the compiler needs from the process: parts that outlive a configuration.</summary>
internal sealed record CompilerServices(Forwarder Forwarder, TimeProvider Time)
{
    /// <summary>What limits count, and who waits.</summary>
    public LimitStore Limits { get; init; } = new(Time);

    /// <summary>How many retries each API has left.</summary>
    public RetryBudgets RetryBudgets { get; } = new(Time);

    /// <summary>Where large requests are kept for another attempt.</summary>
    public SpillSpace Spill { get; } = new();

    /// <summary>Which upstreams are down.</summary>
    public Circuits Circuits { get; } = new(Time);

    /// <summary>What upstreams refused of late.</summary>
    public Throttles Throttles { get; } = new(Time);

    /// <summary>How many calls upstreams can work on.</summary>
    public ConcurrencyGradients Gradients { get; } = new(Time);

    /// <summary>Which of several keys are taken.</summary>
    public KeyHealths Keys { get; } = new(Time);

    /// <summary>How keys are taken that are an API's only one.</summary>
    public KeyHealths OnlyKeys { get; } = new(Time);

    /// <summary>How slow answers are, and what was sent a second time.</summary>
    public HedgeRoutes Hedges { get; } = new(Time);

    /// <summary>Stored answers.</summary>
    public HttpCache Cache { get; } = new(Time);

    /// <summary>Headers and content of chosen exchanges.</summary>
    public CaptureStore Captures { get; } = new();

    /// <summary>Which webhooks have come.</summary>
    public WebhookMemory Webhooks { get; } = new(Time);

    /// <summary>Gives 0 to below 1, for jitter.</summary>
    public Func<double> Random { get; init; } = static () => RandomNumberGenerator.GetInt32(int.MaxValue) / (double)int.MaxValue;
}

/// <summary>Everything that one valid configuration means to the process.</summary>
internal sealed record CompiledConfiguration
{
    /// <summary>What exchanges use.</summary>
    public required GatewaySnapshot Snapshot { get; init; }

    /// <summary>Where traffic comes in.</summary>
    public required IReadOnlyList<ListenerSettings> Listeners { get; init; }

    /// <summary>How the gateway is looked at.</summary>
    public required ControlSettings Control { get; init; }

    /// <summary>The records that all of it was made of.</summary>
    public required GatewayConfig Config { get; init; }

    /// <summary>The same with every default filled in, to be shown.</summary>
    public required GatewayConfig Effective { get; init; }

    /// <summary>Where both stood.</summary>
    public required ConfigPositions Positions { get; init; }

    /// <summary>Every configuration file that was read, as it was then; none for a text that is no file.</summary>
    public required IReadOnlyList<FileStamp> Files { get; init; }

    /// <summary>Those and every certificate and key that listeners use: what has changed when one of them has.</summary>
    public required IReadOnlyList<FileStamp> Watched { get; init; }

    /// <summary>What was found and is no error.</summary>
    public required IReadOnlyList<ConfigProblem> Warnings { get; init; }

    /// <summary>The one directory that the gateway writes to.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Why this machine cannot run it; null when it can. No error of the configuration: it may have been written for another machine.</summary>
    public string? CannotRun => !Http3Sender.IsSupported && Config.Apis.FirstOrDefault(api => api.Upstream?.Protocol == UpstreamProtocolConfig.Http3) is { } api
        ? $"{api.Name} has an upstream with protocol: http3, and this machine has no libmsquic. Install it, or write another protocol."
        : null;

    /// <summary>What changes of the parts that outlive a configuration. To compile changes nothing yet: the configuration may still be refused.</summary>
    public IReadOnlyList<Action> Effects { get; init; } = [];

    /// <summary>It is in force now.</summary>
    public void TakeEffect()
    {
        foreach (var effect in Effects)
        {
            effect();
        }
    }
}
