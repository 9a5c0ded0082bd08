using System.Globalization;

namespace Tidegate.Load.Runs;

/// <summary>How long and how hard, from the environment.</summary>
internal sealed record LoadOptions
{
    public bool IsQuick { get; init; }

    public int Rounds { get; init; } = Number("ROUNDS", 3);

    public double Seconds { get; init; } = Number("SECONDS_EACH", 5);

    /// <summary>Keep-alive connections of the generator.</summary>
    public int Connections { get; init; } = Number("CONNECTIONS", 64);

    /// <summary>The fixed rate of the open loop, in requests per second; half of nginx's best is measured too.</summary>
    public int Rate { get; init; } = Number("RATE", 5000);

    /// <summary>Event streams. 1,000, because 5,000 need 10,000 descriptors and minutes on a small machine.</summary>
    public int Streams { get; init; } = Number("STREAMS", 1000);

    public int IdleConnections { get; init; } = Number("IDLE_CONNECTIONS", 9500);

    /// <summary>Requests before "RSS after a million requests" is read.</summary>
    public int MemoryRequests { get; init; } = Number("MEMORY_REQUESTS", 1_000_000);

    public int ProxyCore { get; init; } = Number("PROXY_CORE", 0);

    /// <summary>Generator and upstream share it.</summary>
    public int LoadCore { get; init; } = Number("LOAD_CORE", 1);

    /// <summary>Scales every peer's warm-up.</summary>
    public double WarmUpFactor { get; init; } = 1;

    /// <summary>Short rounds: meant to be over in three minutes, for a first look and not for the page.</summary>
    public static LoadOptions Quick => new() { IsQuick = true, Rounds = Number("ROUNDS", 2), Seconds = Number("SECONDS_EACH", 2), WarmUpFactor = 0.6 };

    private static int Number(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : otherwise;
}
