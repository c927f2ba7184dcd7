// The EUDI reference library for SD-JWT VC (Kotlin) as holder and as verifier of what Hufu issues and its wallet presents: x5c chain by the JDK, typ, times, digests, key
// binding over a challenge. Run: HUFU_TEST=... java -cp 'lib/*' Check.java. It writes a line {"check": name, "ok": bool, "got": ...} for each check, as lib.mjs does.
//
// The library's functions suspend and return Kotlin's Result, whose names Java can't write; so they are called by reflection.
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jwt.SignedJWT;
import eu.europa.ec.eudi.sdjwt.NimbusSdJwtOps;
import eu.europa.ec.eudi.sdjwt.SdJwt;
import eu.europa.ec.eudi.sdjwt.vc.SdJwtVcVerifier;
import eu.europa.ec.eudi.sdjwt.vc.X509CertificateTrust;
import java.io.ByteArrayInputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import kotlin.coroutines.Continuation;
import kotlin.coroutines.CoroutineContext;
import kotlin.coroutines.EmptyCoroutineContext;
import kotlin.coroutines.intrinsics.IntrinsicsKt;
import kotlinx.serialization.json.Json;
import kotlinx.serialization.json.JsonElement;
import kotlinx.serialization.json.JsonObject;

public class Check {
    static void say(Map<String, Object> line) {
        System.out.println(JSONObjectUtils.toJSONString(line));
        System.out.flush();
    }

    static void check(String name, boolean ok, Object got) {
        Map<String, Object> line = new HashMap<>(Map.of("check", name, "ok", ok));
        line.put("got", String.valueOf(got));
        say(line);
    }

    // await calls a suspending function and unwraps its Result.
    static Object await(Object target, Object... args) throws Exception {
        CompletableFuture<Object> done = new CompletableFuture<>();
        Continuation<Object> then = new Continuation<>() {
            public CoroutineContext getContext() { return EmptyCoroutineContext.INSTANCE; }
            public void resumeWith(Object result) { done.complete(result); }
        };
        for (Method m : SdJwtVcVerifier.class.getMethods()) {
            Class<?>[] p = m.getParameterTypes();
            if (!m.getName().startsWith("verify-") || p.length != args.length + 1 || p[0] != String.class) continue;
            Object[] all = Arrays.copyOf(args, p.length);
            all[args.length] = then;
            Object out;
            try {
                out = m.invoke(target, all);
            } catch (InvocationTargetException e) {
                throw (Exception) e.getCause();
            }
            return unwrap(out == IntrinsicsKt.getCOROUTINE_SUSPENDED() ? done.get(30, TimeUnit.SECONDS) : out);
        }
        throw new IllegalStateException("the library has no such function");
    }

    static Object unwrap(Object o) throws Exception {
        if (o != null && o.getClass().getName().equals("kotlin.Result")) {
            var field = o.getClass().getDeclaredField("value");
            field.setAccessible(true);
            return unwrap(field.get(o));
        }
        if (o != null && o.getClass().getName().equals("kotlin.Result$Failure")) {
            Throwable t = (Throwable) o.getClass().getField("exception").get(o);
            throw t instanceof Exception e ? e : new Exception(t);
        }
        return o;
    }

    static void refused(String name, SdJwtVcVerifier<SignedJWT> verifier, String pattern, Object... args) {
        try {
            check(name, false, await(verifier, args));
        } catch (Exception e) {
            check(name, (e + " " + e.getCause()).matches("(?s).*(" + pattern + ").*"), e + " " + e.getCause());
        }
    }

    static X509Certificate certificate(String base64) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(Base64.getDecoder().decode(base64)));
    }

    // below is trust in chains below one root, by the JDK's own path validation.
    static SdJwtVcVerifier<SignedJWT> below(String root) throws Exception {
        PKIXParameters p = new PKIXParameters(Set.of(new TrustAnchor(certificate(root), null)));
        p.setRevocationEnabled(false);
        X509CertificateTrust trust = (chain, then) -> {
            try {
                CertPathValidator.getInstance("PKIX").validate(CertificateFactory.getInstance("X.509").generateCertPath(chain), p);
                return true;
            } catch (Exception e) {
                return false;
            }
        };
        return NimbusSdJwtOps.INSTANCE.getSdJwtVcVerifier().usingX5c(trust);
    }

    static JsonObject challenge(String nonce, String audience) {
        return (JsonObject) Json.Default.parseToJsonElement("{\"nonce\":\"" + nonce + "\",\"aud\":\"" + audience + "\"}");
    }

    // flip changes one character in the middle of the first disclosure.
    static String flip(String text) {
        int at = text.indexOf('~') + 12;
        return text.substring(0, at) + (text.charAt(at) == 'A' ? 'B' : 'A') + text.substring(at + 1);
    }

    public static void main(String[] ignored) throws Exception {
        Map<String, Object> c = JSONObjectUtils.parse(System.getenv("HUFU_TEST"));
        String credential = (String) c.get("credential"), shown = (String) c.get("presentation");
        String nonce = (String) c.get("nonce"), audience = (String) c.get("audience");
        SdJwtVcVerifier<SignedJWT> verifier = below((String) c.get("root")), stranger = below((String) c.get("other_root"));

        @SuppressWarnings("unchecked") SdJwt<SignedJWT> issued = (SdJwt<SignedJWT>) await(verifier, credential);
        check("as issued: all disclosures", issued.getDisclosures().size() == Integer.parseInt(c.get("disclosures").toString()), issued.getDisclosures().size());
        check("as issued: iss", issued.getJwt().getJWTClaimsSet().getIssuer().equals(c.get("issuer")), issued.getJwt().getJWTClaimsSet());
        refused("as issued: another root", stranger, "not trusted", credential);
        refused("as issued: a disclosure changed", verifier, "[Dd]isclosure|[Dd]igest", flip(credential));
        refused("as issued: a presentation in its place", verifier, "KeyBinding|[Uu]nexpected", shown);

        Object presented = await(verifier, shown, challenge(nonce, audience));
        check("presentation: answers its challenge", presented != null, presented);
        refused("presentation: another nonce", verifier, "KeyBinding", shown, challenge("another", audience));
        refused("presentation: another audience", verifier, "KeyBinding", shown, challenge(nonce, "https://another.example"));
        refused("presentation: another root", stranger, "not trusted", shown, challenge(nonce, audience));
        refused("presentation: no key binding", verifier, "KeyBinding", shown.substring(0, shown.lastIndexOf('~') + 1), challenge(nonce, audience));
        say(Map.of("done", true));
        System.exit(0);
    }
}
