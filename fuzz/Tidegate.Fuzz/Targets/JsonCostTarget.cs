using System.Text;
using System.Text.Json;
using Tidegate.Fuzz.Inputs;
using Tidegate.Policies.Limits.Costs;

namespace Tidegate.Fuzz.Targets;

/// <summary>Costs in content: the same however it is cut, and in what is JSON the same as a full parse finds.</summary>
internal sealed class JsonCostTarget : FuzzTarget
{
    private static readonly JsonPointer Pointer = JsonPointer.TryParse("/usage/0/n")!;

    public override string Name => "json-cost";

    public override IReadOnlyList<byte[]> Seeds { get; } = Latin1(
        """{"usage":[{"n":12},{"n":3}],"x":"y"}""", """{ "a" : [1,2,{"usage":[]}], "usage" : [ { "m" : {}, "n" : 1.5e2 } ] }""", """{"usage":[[1],{"n":3}],"n":[[[]]]}""", "data: {\"usage\":[{\"n\":5}]}\r\n\r\ndata: [DONE]\n\n");

    public override IReadOnlyList<byte[]> Tokens { get; } = Latin1("{", "}", "[", "]", ",", ":", "\"", "\\", "\"usage\":", "\"n\":", "0", "1e9", ".", "00000000000000000001", "-", "\\u006e", "\\ud83d", "\"\\u006e\":", "null", " ", "\n", "\r", "data:", "\n\n", "[{", "}]");

    public override void Check(byte[] input, Random random)
    {
        var whole = Scan([input]);
        AreEqual($"{whole}", $"{Scan(Pieces.Cut(input, random))}", "another cost in pieces");
        AreEqual($"{Events([input])}", $"{Events(Pieces.Cut(input, random))}", "another cost of events in pieces");
        if (Ascii.IsValid(input) && input.AsSpan().IndexOf((byte)'\\') < 0 && TryParse(input) is { } document)
        {
            using (document)
            {
                if (HasOwnNames(document.RootElement) && Find(document.RootElement) is { } found)
                {
                    AreEqual($"{found}", $"{whole}", "a full parse finds something else");
                }
            }
        }
    }

    private static long Scan(IReadOnlyList<byte[]> pieces)
    {
        var scanner = new JsonCostScanner(Pointer);
        foreach (var piece in pieces)
        {
            scanner.Read(piece);
        }

        scanner.End();
        return scanner.Cost;
    }

    private static long Events(IReadOnlyList<byte[]> pieces)
    {
        var scanner = new JsonCostScanner(Pointer);
        var events = new EventCostScanner(scanner);
        foreach (var piece in pieces)
        {
            events.Read(piece);
        }

        return scanner.Cost;
    }

    private static JsonDocument? TryParse(byte[] input)
    {
        try
        {
            return JsonDocument.Parse(input);
        }
        catch (JsonException)
        {
            // Most inputs are none.
            return null;
        }
    }

    // Of two members with one name each may be meant.
    private static bool HasOwnNames(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().Select(member => member.Name).Distinct().Count() == element.EnumerateObject().Count() && element.EnumerateObject().All(member => HasOwnNames(member.Value)),
        JsonValueKind.Array => element.EnumerateArray().All(HasOwnNames),
        _ => true,
    };

    /// <summary>Null where the parser that this one is held to gives up.</summary>
    private static long? Find(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("usage", out var usage) || usage.ValueKind != JsonValueKind.Array || usage.GetArrayLength() == 0
            || usage[0] is not { ValueKind: JsonValueKind.Object } first || !first.TryGetProperty("n", out var number) || number.ValueKind != JsonValueKind.Number)
        {
            return -1;
        }

        // What has more digits than a decimal is not the same in all of them.
        return number.GetRawText().Length > 28 || !number.TryGetDecimal(out var cost) || (cost == 0 && number.GetDouble() != 0) ? null : cost >= 0 ? (long)Math.Ceiling(Math.Min(cost, JsonCostScanner.MaxCost)) : -1;
    }
}
