using Tidegate.Edge;
using Tidegate.Forwarding;

namespace Tidegate.Configuration;

/// <summary>What the compiler needs from the process: parts that outlive a configuration.</summary>
internal sealed record CompilerServices(Forwarder Forwarder, TimeProvider Time);

/// <summary>Everything that one valid configuration means to the process.</summary>
internal sealed record CompiledConfiguration(GatewaySnapshot Snapshot, IReadOnlyList<ListenerSettings> Listeners, GatewayConfig Config, string StateDirectory);
