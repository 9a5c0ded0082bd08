using System.Globalization;
using System.Text.RegularExpressions;
using Tidegate.Load.Peers;
using Tidegate.Load.Traffic;

namespace Tidegate.Load.Runs;

/// <summary>What was measured of one proxy in one round.</summary>
/// <param name="Measurement">What the generator saw.</param>
/// <param name="CpuSeconds">What the proxy spent meanwhile.</param>
internal sealed record Sample(Measurement Measurement, double CpuSeconds)
{
    public double CpuMicrosecondsPerRequest => CpuSeconds * 1e6 / Math.Max(1, Measurement.Count);
}

/// <summary>Runs generators: ours for cleartext HTTP/1.1, wrk for TLS, h2load for HTTP/2.</summary>
/// <param name="options">How many connections, on which core.</param>
/// <param name="self">The runner's own executable, which is the generator too.</param>
/// <param name="keep">Starts a process that ends with the lab at the latest.</param>
internal sealed partial class Generators(LoadOptions options, string self, Func<Func<PinnedProcess>, PinnedProcess> keep)
{
    public bool Has(Front front) => front switch
    {
        Front.Tls => Tool.Find("wrk") is not null,
        Front.Http2 => Tool.Find("h2load") is not null,
        _ => true,
    };

    /// <param name="peer">Where to.</param>
    /// <param name="request">What.</param>
    /// <param name="rate">Requests per second; 0 is as many as there can be.</param>
    /// <param name="seconds">How long.</param>
    public Sample Run(RunningPeer peer, RequestShape request, double rate, double seconds) => peer.Setup.Front switch
    {
        Front.Tls => RunTool(peer, WrkRequests(), "wrk", "-t1", $"-c{options.Connections}", Duration(seconds), "-H", "Host: " + RequestShape.Host, $"https://127.0.0.1:{peer.Port}{request.Path}"),
        Front.Http2 => RunTool(peer, H2LoadRequests(), "h2load", "-t1", "-c16", "-m4", "-D", Duration(seconds)[2..].TrimEnd('s'), "-H", ":authority: " + RequestShape.Host, $"https://127.0.0.1:{peer.Port}{request.Path}"),
        _ => RunOwn(peer, "generate", $"{peer.Port}", $"{options.Connections}", Text(seconds), Text(rate), request.Path, request.Key ?? "-", $"{request.UploadBytes}", "warm"),
    };

    /// <summary>As <see cref="Run"/> over cleartext, counting from the very first request.</summary>
    public Sample RunCold(RunningPeer peer, RequestShape request, double rate, double seconds) =>
        RunOwn(peer, "generate", $"{peer.Port}", $"{options.Connections}", Text(seconds), Text(rate), request.Path, request.Key ?? "-", $"{request.UploadBytes}", "cold");

    /// <summary>Without a proxy between.</summary>
    public Measurement RunDirect(int port, RequestShape request, double rate, double seconds)
    {
        using var process = Start("generate", $"{port}", $"{options.Connections}", Text(seconds), Text(rate), request.Path, "-", "0", "warm");
        process.ReadLine();
        return Measurement.FromLine(process.ReadLine());
    }

    /// <summary>Event streams; the proxy's memory is read while they are open.</summary>
    public (Sample Sample, double ResidentMegabytes) Streams(RunningPeer peer, int streams, double seconds)
    {
        using var process = Start("streams", $"{peer.Port}", $"{streams}", Text(seconds));
        process.ReadLine();
        var before = peer.CpuSeconds;
        var measured = Measurement.FromLine(process.ReadLine());
        return (new Sample(measured, peer.CpuSeconds - before), peer.ResidentMegabytes);
    }

    /// <summary>Connections that wait, until disposed.</summary>
    public IDisposable Idle(RunningPeer peer, int connections)
    {
        var process = Start("idle", $"{peer.Port}", $"{connections}");
        process.ReadLine();
        return process;
    }

    private Sample RunOwn(RunningPeer peer, params string[] arguments)
    {
        using var process = Start(arguments);
        process.ReadLine();
        var before = peer.CpuSeconds;
        var measured = Measurement.FromLine(process.ReadLine());
        return new Sample(measured, peer.CpuSeconds - before);
    }

    private Sample RunTool(RunningPeer peer, Regex requests, string tool, params string[] arguments)
    {
        var before = peer.CpuSeconds;
        var began = Clock.Now;
        using var process = keep(() => new PinnedProcess(options.LoadCore, new PeerCommand(tool, arguments)));
        var output = process.ReadToEnd();
        var cpu = peer.CpuSeconds - before;
        var seconds = (Clock.Now - began) / (double)Clock.Second;
        if (!requests.Match(output).Success)
        {
            throw new InvalidOperationException($"{tool} did not say how many requests it made: {output} {process.LastErrors}");
        }

        var count = long.Parse(requests.Match(output).Groups[1].Value, CultureInfo.InvariantCulture);
        var errors = ToolErrors().Matches(output).Sum(match => long.Parse(match.Groups.Cast<Group>().Skip(1).First(group => group.Success).Value, CultureInfo.InvariantCulture));
        return new Sample(new Measurement(count, errors, 0, count / seconds, 0, 0, 0), cpu);
    }

    private PinnedProcess Start(params string[] arguments) => keep(() => new PinnedProcess(options.LoadCore, new PeerCommand(self, arguments)));

    private static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Duration(double seconds) => $"-d{Math.Ceiling(seconds)}s";

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex WrkRequests();

    [GeneratedRegex(@"(\d+) succeeded")]
    private static partial Regex H2LoadRequests();

    [GeneratedRegex(@"Non-2xx or 3xx responses: (\d+)|(\d+) failed")]
    private static partial Regex ToolErrors();
}
