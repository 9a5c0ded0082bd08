using Tidegate.Exchanges;

namespace Tidegate.Recording.Metrics;

/// <summary>What tells one series of exchanges from another. An empty part is a label that the series does not have.</summary>
internal readonly record struct SeriesKey
{
    /// <summary>What a value becomes when there are too many different ones.</summary>
    public const string Other = "other";

    public required Direction Direction { get; init; }

    public required Outcome Outcome { get; init; }

    /// <summary>100 to 999; 0 when the client got none; a status's class (5 for 5xx) in a folded series.</summary>
    public required int Status { get; init; }

    public string Api { get; init; }

    public string Endpoint { get; init; }

    public string Host { get; init; }

    public string Scheme { get; init; }

    public string Consumer { get; init; }

    public string Tenant { get; init; }

    public string Environment { get; init; }

    public string Method { get; init; }

    public string Code { get; init; }

    /// <summary>The series of all exchanges for which there was no room: only what has few values by nature is kept.</summary>
    public SeriesKey Folded() => this with
    {
        Status = Status / 100,
        Api = Fold(Api),
        Endpoint = Fold(Endpoint),
        Host = Fold(Host),
        Scheme = Fold(Scheme),
        Consumer = Fold(Consumer),
        Tenant = Fold(Tenant),
        Environment = Fold(Environment),
        Method = Fold(Method),
        Code = Fold(Code),
    };

    /// <summary>Who called does not matter.</summary>
    public SeriesKey WithoutConsumer() => this with { Consumer = "", Tenant = "", Environment = "" };

    /// <summary>Only the API matters.</summary>
    public SeriesKey OfApi() => new() { Direction = Direction, Outcome = Outcome.Pending, Status = 0, Api = Api, Endpoint = "", Host = "", Scheme = "", Consumer = "", Tenant = "", Environment = "", Method = "", Code = "" };

    // Looked up for every exchange, and nearly all values are the same instances each time: a few letters tell most apart, and Equals
    // compares references first.
    public override int GetHashCode() => HashCode.Combine(
        ((int)Direction << 16) | ((int)Outcome << 12) | Status, Mix(Api), Mix(Endpoint), Mix(Host), Mix(Consumer), Mix(Method), Mix(Code), Mix(Environment));

    private static int Mix(string text) => text.Length == 0 ? 0 : (text.Length << 24) ^ (text[0] << 16) ^ (text[text.Length / 2] << 8) ^ text[^1];

    private static string Fold(string value) => value.Length == 0 ? value : Other;
}
