using Tidegate.Edge;

namespace Tidegate.Fuzz.Targets;

/// <summary>A tunnel's first bytes: what they are is decided once, and nothing that follows changes it.</summary>
internal sealed class ClientHelloTarget : FuzzTarget
{
    // More than a seed's: the rest of a long input is as good as its beginning.
    private const int Prefixes = 700;

    public override string Name => "client-hello";

    public override IReadOnlyList<byte[]> Seeds { get; } =
    [
        ClientHelloBytes.Build(["api.example.com"]),
        ClientHelloBytes.Build(["api.example.com"], recordBytes: 50),
        ClientHelloBytes.Build([]),
        ClientHelloBytes.Build(["a.test", "b.test"]),
        [.. ClientHelloBytes.Build(["early.test"]), 20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 2, 8, 8],
    ];

    public override IReadOnlyList<byte[]> Tokens { get; } =
        [[22, 3, 1], [22, 3, 3, 0, 0], [20, 3, 3, 0, 1, 1], [23, 3, 3, 0, 1, 0], [1, 0, 0, 4], [0, 0], [0xFF, 0xFF], [0x40, 0x00], [0x40, 0x01], ClientHelloBytes.ServerName("b.test"), ClientHelloBytes.ServerName("")];

    public override void Check(byte[] input, Random random)
    {
        var decided = ClientHelloState.Incomplete;
        string? decidedName = null;
        var length = 1;
        for (; length <= Math.Min(input.Length, Prefixes); length++)
        {
            var state = ClientHello.Read(input.AsSpan(0, length), out var name);
            Holds(state == ClientHelloState.Complete || name is null, "a name is given that nobody vouches for");
            if (decided != ClientHelloState.Incomplete)
            {
                Holds((state, name) == (decided, decidedName), $"after {length} bytes it is {state} {name}, and was {decided} {decidedName} before");
            }

            (decided, decidedName) = (state, name);
        }

        var whole = ClientHello.Read(input, out var wholeName);
        Holds(decided == ClientHelloState.Incomplete || (whole, wholeName) == (decided, decidedName), $"whole it is {whole} {wholeName}, and was {decided} {decidedName} before");
    }
}
