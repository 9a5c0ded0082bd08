using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Credential;

/// <summary>Puts the API's own credential onto the request, so that callers never hold it. Inside every retry: each attempt carries it.</summary>
/// <param name="header">The field, for example <c>Authorization</c>; whatever the client sent in it is replaced.</param>
/// <param name="value">The whole value, a secret.</param>
/// <param name="requiresTls">Refuse plain <c>http</c> targets: true for egress APIs without <c>upstream</c>, where the caller's URL decides whether the secret crosses the network in the clear.</param>
internal sealed class CredentialPolicy(string header, string value, bool requiresTls = false) : IPolicy
{
    private static readonly Rejection NeedsTls = new(
        "credential", "credential_needs_tls", 403, "This API's credential is only sent over TLS. Call the https URL.");

    private readonly byte[] _name = Encoding.ASCII.GetBytes(header);
    private readonly byte[] _value = Encoding.Latin1.GetBytes(value);

    public string Name => "credential";

    public PolicyStage Stage => PolicyStage.Attempt;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        // Into a tunnel nothing can be put.
        if (exchange.IsTunnel)
        {
            return next(exchange);
        }

        if (IsExposed(exchange))
        {
            exchange.Reject(NeedsTls);
            return default;
        }

        RemoveClients(exchange.RequestHeaders);
        exchange.RequestHeaders.Add(_name, _value);
        return next(exchange);
    }

    public PolicyExplanation Explain(Exchange exchange) =>
        exchange.IsTunnel ? new PolicyExplanation("skipped: a tunnel carries no header fields of ours")
        : IsExposed(exchange) ? new PolicyExplanation($"refused with {NeedsTls.Status} {NeedsTls.Code}", NeedsTls)
        : new PolicyExplanation($"sets {header} (value hidden)");

    /// <summary>Also in the spelling with underscores, which some servers cannot tell from ours (RFC 3875 4.1.18).</summary>
    private void RemoveClients(HeaderList fields)
    {
        for (var i = fields.Count - 1; i >= 0; i--)
        {
            if (fields[i].Name.Length == _name.Length && IsSame(fields[i].Name))
            {
                fields.RemoveAt(i);
            }
        }
    }

    private bool IsSame(ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < name.Length; i++)
        {
            if (Fold(name[i]) != Fold(_name[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static int Fold(byte letter) => letter == '_' ? '-' : char.IsAsciiLetterUpper((char)letter) ? letter | 0x20 : letter;

    private bool IsExposed(Exchange exchange) => requiresTls && !exchange.Target.IsSecure;
}
